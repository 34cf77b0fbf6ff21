"""The lab's experiment by this package's commands, as long as the time allows: stage 1, stage 2 on each split, Table 1 with spread.

    python -m benchmarks.lab_experiment DIR --inception inception_v3.pth --squeezenet squeezenet1_0.pth --epochs 14

DIR is the lab's folder of cat faces. Both splits share one tokenizer, trained on the clean split; their second stages train side by
side. Writes benchmarks/results/lab_cats_<device>.json: every score with its protocol, and what each part took. Runs stay in --out:
the same command goes on where it was interrupted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.rows import RESULTS, machine
from maskgit_lab.runs.metrics_file import read_rows
from maskgit_lab.runs.provenance import provenance

SPLITS = ("lab", "clean")
SEEDS = (0, 1, 2)  # of decoding
# the lab's network with what a short training needs: larger batch and rate, a codebook that starts from data, no late discriminator
STAGE_1_BATCH = 64
GAN_FROM = 0.6  # share of the steps before the discriminator


def main() -> None:
    """Run every part in its order and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cats", type=Path)
    parser.add_argument("--inception", type=Path, required=True, help="torchvision's ImageNet weights, for the distance")
    parser.add_argument("--squeezenet", type=Path, required=True, help="torchvision's ImageNet weights, for the perceptual loss")
    parser.add_argument("--stage-1-steps", type=int, default=1300)
    parser.add_argument("--epochs", type=int, default=14, help="of stage 2; the lab's are 150")
    parser.add_argument(
        "--max-time", default="00:00:30:00", help="of stage 2, days:hours:minutes:seconds; the epochs end it before"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/lab_experiment"))
    args = parser.parse_args()
    os.environ |= {"MASKGIT_LAB_RUNS": str(args.out / "runs"), "MASKGIT_LAB_CACHE": str(args.out / "cache")}
    args.out.mkdir(parents=True, exist_ok=True)
    took: dict[str, float] = {}
    if not tokenizers(args.out):
        side_by_side(args.out, took, {"stage_1": stage_1(args)})
    (tokenizer,) = tokenizers(args.out)
    side_by_side(args.out, took, {f"stage_2_{split}": command for split in SPLITS if (command := stage_2(args, split, tokenizer))})
    side_by_side(args.out, took, {f"table_{split}": table(args, run_of(args.out, split)) for split in SPLITS})
    write(args, took, tokenizer)


def tokenizers(out: Path) -> list[Path]:
    """Return the tokenizer's file, if it is trained."""
    return list((out / "cache" / "tokenizers").glob("*/tokenizer.pt"))


def stage_1(args: argparse.Namespace) -> list[str]:
    """Return the command of the tokenizer."""
    training = {
        "max_steps": args.stage_1_steps, "batch_size": STAGE_1_BATCH, "lr": "4e-4", "warmup_steps": 100, "revive_after_steps": 20,
        "gan_start_step": round(GAN_FROM * args.stage_1_steps), "val_every_n_steps": max(1, args.stage_1_steps // 3),
        "perceptual": f"{{_target_: maskgit_lab.models.perceptual.PerceptualLoss, weights: {args.squeezenet}}}",
    }  # fmt: skip
    overrides = [f"tokenizer.training.{key}={value}" for key, value in training.items()]
    return ["train_tokenizer", *_data(args, "clean"), "recipe=lab", "name=stage_1", "logger=csv", *overrides]


def stage_2(args: argparse.Namespace, split: str, tokenizer: Path) -> list[str]:
    """Return the command of one split's transformer: the lab's recipe, with little looking in between; [] when it is done."""
    if (args.out / "runs" / split).is_dir():
        run = run_of(args.out, split)
        status = json.loads((run / "result.json").read_text())["status"]
        return [] if status == "completed" else ["train", f"resume={run}"]
    return [
        "train", *_data(args, split), *_metrics(args), "recipe=lab", f"name={split}", f"tokenizer.checkpoint={tokenizer}",
        f"trainer.max_epochs={args.epochs}", f"+trainer.max_time='{args.max_time}'",
        "data.val_batch_size=250", "callbacks.samples=null", "callbacks.scores=null", "logger=csv",
    ]  # fmt: skip


def table(args: argparse.Namespace, run: Path) -> list[str]:
    """Return the command of Table 1."""
    seeds = ",".join(map(str, SEEDS))
    return ["evaluate", f"run={run}", *_metrics(args), f"seeds=[{seeds}]", "precision=bf16-mixed", "batch_size=250"]


def _data(args: argparse.Namespace, split: str) -> list[str]:
    return ["data=cat_faces", f"data.root={args.cats}", f"data.split={split}"]


def _metrics(args: argparse.Namespace) -> list[str]:
    return ["metrics=inception_imagenet", f"metrics.extractor.weights={args.inception}"]


def run_of(out: Path, split: str) -> Path:
    """Return the newest run folder of a split."""
    return max((out / "runs" / split).iterdir())


def side_by_side(out: Path, took: dict[str, float], commands: dict[str, list[str]]) -> None:
    """Run commands at the same time, each with its own log; raise RuntimeError when one fails."""
    start, running = time.perf_counter(), {}
    for name, (command, *arguments) in commands.items():
        log = (out / f"{name}.log").open("w")
        running[name] = subprocess.Popen([sys.executable, "-m", f"maskgit_lab.{command}", *arguments], stdout=log, stderr=log)
    failed = [name for name, process in running.items() if process.wait()]
    took |= dict.fromkeys(commands, round(time.perf_counter() - start, 1))
    print(", ".join(commands), f"{time.perf_counter() - start:.0f} s", flush=True)
    if failed:
        raise RuntimeError(f"{', '.join(failed)} failed: see {out}")


def write(args: argparse.Namespace, took: dict[str, float], tokenizer: Path) -> None:
    """Write the results as one file."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    content: dict[str, Any] = {
        "command": f"python -m benchmarks.lab_experiment DIR --stage-1-steps {args.stage_1_steps} --epochs {args.epochs}",
        "machine": machine(device),
        "provenance": provenance(),
        "seconds": took,
        "stage_1": json.loads((tokenizer.parent / "scores.json").read_text())
        | {"steps": args.stage_1_steps, "batch_size": STAGE_1_BATCH, "gan_start_step": round(GAN_FROM * args.stage_1_steps)},
    }
    for split in SPLITS:
        run = run_of(args.out, split)
        result, found = (json.loads((run / path).read_text()) for path in ("result.json", "evaluation/evaluation.json"))
        kept = ("data", "epochs", "stopped_early", "monitor", "seconds", "num_parameters", "diagnosis", "scores", "peak_memory_gib")
        pace = [
            float(row["train/images_per_second"]) for row in read_rows(run / "metrics.csv") if row.get("train/images_per_second")
        ]
        found["protocol"].pop("weights", None)
        content[split] = {
            **{name: result[name] for name in kept if name in result},
            "images_per_second": sorted(pace)[len(pace) // 2] if pace else None,
            "evaluation": found,
        }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"lab_cats_{device.type}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
