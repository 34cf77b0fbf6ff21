"""What each part of the recipe for real cats gives: every variant trained with two seeds and measured on validation images.

    python -m benchmarks.variants DIR --inception inception_v3.pth --squeezenet squeezenet1_0.pth --jobs 8
    python -m benchmarks.variants DIR ... --small --stages transformers decoders   # for two cores

DIR is the lab's folder of cat faces. Tokenizers differ from that of experiment=cats_cpu by what their name says, and so do
transformers (all on the seed's first tokenizer, filled with the tokenizer's own decoder) and the decoders that read the known
pixels (all on the seed's first run). One GPU takes several side by side: each process asks for less than it can do. Everything
stays in --out, and the same command goes on where it was interrupted. Prints one Markdown table per stage and writes
benchmarks/results/variants_<device>.json. --small has the demo's networks, fewer steps and no long trainings: it says which
changes help networks that have learned little.
"""

import argparse
import heapq
import itertools
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.rows import RESULTS
from benchmarks.study import record
from maskgit_lab.evaluation.spread import Spread
from maskgit_lab.reporting.tables import render_markdown

Overrides = dict[str, Any]
Train = Callable[[str, Overrides, int, Path], Path]
FIRST = "cats_cpu"  # the recipe as it is: what all others are compared with
PATCHES = "{_target_: maskgit_lab.models.discriminator.PatchDiscriminator, num_filters: 32, num_layers: 2, normalisation: group}"
HEADS = "{_target_: maskgit_lab.models.projected_discriminator.ProjectedDiscriminator, weights: SQUEEZENET}"
# with DiffAugment, or a rate of 2e-3, a PatchGAN does not learn in so few steps; the heads do, and ask for more (docs/findings.md)
FIXED = {"gan_adaptive": False, "lecam_weight": 0.01}
RATES = {PATCHES: 2e-4, HEADS: 2e-3}
HOLES = ("0.1", "0.3")  # that all are measured on, whatever they were trained on: data=cat_faces'


def gan(discriminator: str, weight: float) -> Overrides:
    """Return how a stage is trained with a discriminator."""
    changes = FIXED | {"discriminator": discriminator, "gan_weight": weight, "gan_lr": RATES[discriminator]}
    return {f"training.{key}": value for key, value in changes.items()}


TOKENIZERS: dict[str, Overrides] = {
    FIRST: {},
    "weights not averaged": {"training.ema_decay": 0},
    "3 and 3 blocks": {"model.num_blocks": 3, "model.num_decoder_blocks": "null"},
    "2,048 codes": {"model.num_codebook_vectors": 2048},
    "Muon": {"training.matrix_lr": 8e-3},
    "perceptual loss, 0.3": {"training.perceptual_weight": 0.3},
    "perceptual loss, 1": {"training.perceptual_weight": 1},
    "perceptual loss, 1, images not moved": {"training.perceptual_weight": 1, "training.perceptual_shift": 0},
    "PatchGAN, 0.1": gan(PATCHES, 0.1),
    "heads on SqueezeNet, 0.3": gan(HEADS, 0.3),
}
TRANSFORMERS: dict[str, Overrides] = {
    FIRST: {},
    "Adam": {"optimizer.matrix_lr": "null"},
    "label smoothing 0.1": {"training.label_smoothing": 0.1},
    "holes of 5 to 50 %": {"data.hole_share": "[0.05,0.5]"},
    "at least 30 % of the hole hidden": {"training.mask_share": "[0.3,1.0]"},
    "mask dilation 1": {"decode.mask_dilation": 1},
    "weights averaged (EMA 0.999)": {"callbacks": "ema"},
    "rate constant": {"optimizer.decay": "constant"},
    "10 epochs": {"trainer.max_epochs": 10},
    "10 epochs, averaged": {"trainer.max_epochs": 10, "callbacks": "ema"},
}
DECODERS: dict[str, Overrides] = {
    FIRST: {},
    "true tokens to the end": {"training.fill_steps": 0},
    "4 blocks on the known pixels": {"model.num_blocks": 4},
    "3 blocks at full resolution": {"model.num_pixel_blocks": 3},
    "perceptual loss, 0.1": {"training.perceptual_weight": 0.1},
    "perceptual loss, 1": {"training.perceptual_weight": 1},
    "PatchGAN, 0.1": gan(PATCHES, 0.1),
    "heads on SqueezeNet, 0.3": gan(HEADS, 0.3),
    "3,000 steps": {"training.max_steps": 3000, "training.fill_steps": 3000},
}
LONG = ("3,000 steps", "10 epochs", "10 epochs, averaged")  # begin before the others
MEASURED = {"tokenizers": ("fd", "psnr", "mae"), "transformers": ("decoded", "composited", "mae_hole")}
MEASURED["decoders"] = MEASURED["transformers"]

STEPS = ["max_steps=4", "val_every_n_steps=4", "batch_size=4"]
TINY = [  # of stage 1, stage 2 and the decoder: a few steps
    ["tokenizer.model.channels=32", *(f"tokenizer.training.{step}" for step in STEPS)],
    ["+trainer.limit_train_batches=4", "+trainer.limit_val_batches=2", "trainer.max_epochs=1"],
    [f"decoder.training.{step}" for step in (*STEPS, "fill_steps=2", "num_fills=16")],
]
SMALL = [
    # Adam, as in the recipe: tiny's own tokenizer has Muon
    ["recipe=tiny", *(f"tokenizer.training.{key}" for key in ("max_steps=600", "ema_decay=0.99", "matrix_lr=null"))],
    ["recipe=tiny", "trainer.max_epochs=1"],
    ["decoder.training.max_steps=400", "decoder.training.fill_steps=400", "decoder.training.num_fills=1024"],
]


class Slots:
    """So many commands side by side; of those that wait, the most urgent goes first.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self.free, self.changed, self.waiting = count, threading.Condition(), list[tuple[int, int]]()
        self.numbers = itertools.count()

    @contextmanager
    def slot(self, urgency: int) -> Iterator[None]:
        """Wait for a turn; a lower `urgency` goes first."""
        mine = urgency, next(self.numbers)
        with self.changed:
            heapq.heappush(self.waiting, mine)
            self.changed.wait_for(lambda: self.free > 0 and self.waiting[0] == mine)
            heapq.heappop(self.waiting)
            self.free -= 1
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self.free += 1
                self.changed.notify_all()


class Variants:
    """Trains and measures, each command at most once.

    Args:
        args: of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, args.out
        self.slots = Slots(args.jobs)
        self.pool = ThreadPoolExecutor(max_workers=1000)  # threads that wait
        self.measuring: list[Future[None]] = []
        self.took: dict[str, float] = {}
        for folder in ("logs", "tokenizers", "runs", "scores"):
            (self.out / folder).mkdir(parents=True, exist_ok=True)
        self.cats = [f"data.root={args.cats}", "data.split=clean", f"perceptual_weights={args.squeezenet}", *self.places]

    @property
    def places(self) -> list[str]:
        """Where the commands put what they make."""
        return [f"paths.cache={self.out / 'cache'}"]

    def command(self, module: str, *arguments: str, name: str, urgency: int) -> str:
        """Run a command when its turn comes and return its log; raise RuntimeError when it fails."""
        log = self.out / "logs" / f"{name}.log"
        with self.slots.slot(urgency), log.open("w") as written:
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=written, stderr=subprocess.STDOUT)
            self.took[name] = round(time.perf_counter() - start, 1)
        print(f"{time.strftime('%H:%M:%S')} {name}: {self.took[name]:.0f} s{', FAILED' if done.returncode else ''}", flush=True)
        if done.returncode:
            raise RuntimeError(f"{name} failed, see {log}")
        return log.read_text()

    def overrides(self, changes: Overrides, prefix: str = "") -> list[str]:
        """Return changes as arguments."""
        return [f"{prefix}{key}={value}".replace("SQUEEZENET", str(self.args.squeezenet)) for key, value in changes.items()]

    def tokenizer(self, name: str, changes: Overrides, seed: int) -> Path:
        """Return a trained tokenizer, measured."""
        slug = slugged("tokenizer", name, seed)
        path = self.out / "tokenizers" / f"{slug}.pt"
        if not path.is_file():
            log = self.command(
                "maskgit_lab.train_tokenizer", "experiment=cats_cpu", f"seed={seed}", "logger=csv", *self.cats,
                f"hydra.run.dir={self.out / 'stage_1' / slug}", *self.args.quick[0], *self.overrides(changes, "tokenizer."),
                name=slug, urgency=0 if name == FIRST else 3,
            )  # fmt: skip
            (kept,) = re.findall(r"tokenizer (\w{8,}) found|tokenizers/(\w{8,})/tokenizer.pt", log)[-1:]
            shutil.copy(self.out / "cache" / "tokenizers" / "".join(kept) / "tokenizer.pt", path)
        self.measured(
            "benchmarks.reconstruction", str(path), "--data", str(self.args.cats), "--cache", str(self.out / "cache"), name=slug
        )
        return path

    def transformer(self, name: str, changes: Overrides, seed: int, tokenizer: Path) -> Path:
        """Return a trained run without a conditional decoder, measured."""
        slug = slugged("transformer", name, seed)
        run = self.out / "runs" / slug
        if not (run / "result.json").is_file() or json.loads((run / "result.json").read_text())["status"] != "completed":
            shutil.rmtree(run, ignore_errors=True)
            self.command(
                "maskgit_lab.train", "experiment=cats_cpu", "decoder=plain", f"seed={seed}", "logger=csv", *self.cats,
                f"tokenizer.checkpoint={tokenizer}", "callbacks.scores=null", "callbacks.samples=null", f"hydra.run.dir={run}",
                *self.args.quick[1], *self.overrides(changes), name=slug,
                urgency=1 if name in (FIRST, *LONG) else 2,
            )  # fmt: skip
        self.fills(run, slug)
        return run

    def decoder(self, name: str, changes: Overrides, seed: int, run: Path) -> Path:
        """Return a copy of a run with a decoder, measured."""
        slug = slugged("decoder", name, seed)
        own = self.out / "runs" / slug
        if not (own / "decoder.pt").is_file():
            shutil.rmtree(own, ignore_errors=True)
            shutil.copytree(run, own)
            recipe = [f"decoder.training.{step}" for step in ("max_steps=1000", "fill_steps=1000", "num_fills=4096")]
            self.command(
                "maskgit_lab.train_decoder", f"run={own}", f"seed={seed}", f"perceptual_weights={self.args.squeezenet}",
                *self.places, *recipe, *self.args.quick[2], *self.overrides(changes, "decoder."), name=slug,
                urgency=1 if name in (FIRST, *LONG) else 2,
            )  # fmt: skip
        self.fills(own, slug)
        return own

    def fills(self, run: Path, slug: str) -> None:
        """Measure a run's fills."""
        self.measured(
            "benchmarks.policies", str(run), "--policies", "confidence", "--steps", "7",
            "--seeds", "1" if self.args.temperatures == ["0"] else "2",  # fills of the likeliest tokens hardly differ
            "--hole-share", *HOLES, "--cache", str(self.out / "cache"), "--token-temperature", *self.args.temperatures, name=slug,
        )  # fmt: skip

    def measured(self, module: str, *arguments: str, name: str) -> None:
        """Measure when there is time, unless it was."""
        path = self.out / "scores" / f"{name}.json"
        given = ["--on", "val", "--images", str(self.args.images), "--inception", str(self.args.inception), "--out", str(path)]

        def measure() -> None:
            self.command(module, *arguments, *given, name=f"{name}_measured", urgency=2)

        if not path.is_file():
            self.measuring.append(self.pool.submit(measure))

    def of(self, stage: str, variants: dict[str, Overrides]) -> list[tuple[str, Overrides]]:
        """Return the variants that are trained: of a stage that only a later one asks for, the recipe as it is."""
        order = list(MEASURED)
        if order.index(stage) > max(map(order.index, self.args.stages)):
            return []
        names = [name for name in variants if stage in self.args.stages and not (self.args.short and name in LONG)]
        return [(name, variants[name]) for name in names or [FIRST]]

    def everything(self) -> dict[str, dict[str, list[Any]]]:
        """Train and measure every variant with every seed; return scores by stage and name, a list over seeds."""
        work: dict[tuple[str, str, int], Future[Path]] = {}

        def after(first: Future[Path], train: Train, name: str, changes: Overrides, seed: int) -> Future[Path]:
            return self.pool.submit(lambda: train(name, changes, seed, first.result()))

        for seed in range(self.args.seeds):
            for name, changes in self.of("tokenizers", TOKENIZERS):
                work["tokenizers", name, seed] = self.pool.submit(self.tokenizer, name, changes, seed)
            for name, changes in self.of("transformers", TRANSFORMERS):
                first = work["tokenizers", FIRST, seed]
                work["transformers", name, seed] = after(first, self.transformer, name, changes, seed)
            for name, changes in self.of("decoders", DECODERS):
                first = work["transformers", FIRST, seed]
                work["decoders", name, seed] = after(first, self.decoder, name, changes, seed)
        failed = [str(error) for future in work.values() if (error := future.exception())]
        failed += [str(error) for future in self.measuring if (error := future.exception())]
        print("\n".join(dict.fromkeys(failed)), flush=True)
        found: dict[str, dict[str, list[Any]]] = {stage: {} for stage in MEASURED}
        for stage, name, seed in work:
            path = self.out / "scores" / f"{slugged(stage[:-1], name, seed)}.json"
            if path.is_file():
                found[stage].setdefault(name, []).append(json.loads(path.read_text())["rows"])
        return found


def slugged(stage: str, name: str, seed: int) -> str:
    """Return the name of a variant's files."""
    return f"{stage}_{re.sub('[^a-z0-9]+', '_', name.lower())}_{seed}"


def tables(found: dict[str, dict[str, list[Any]]]) -> str:
    """Return a table per stage: means over seeds of training, with their spread."""
    parts = []
    for stage, scores in MEASURED.items():
        if not found[stage]:
            continue
        rows = []
        for name, per_seed in found[stage].items():
            for number in range(len(per_seed[0])):
                of_row = [seed[number] for seed in per_seed]
                # the last row of benchmarks.policies has no temperature: its tokens are the true ones
                tempered = [] if stage == "tokenizers" else [of_row[0].get("token_temperature", of_row[0]["policy"])]
                values = [[row[key]["mean"] if isinstance(row[key], dict) else row[key] for row in of_row] for key in scores]
                rows.append([name, *tempered, *(str(Spread.of(value)) for value in values), str(len(of_row))])
        tempered = [] if stage == "tokenizers" else ["temperature"]
        parts.append(f"\n{stage}\n\n" + render_markdown([stage[:-1], *tempered, *scores, "seeds"], rows))
    return "\n".join(parts)


def main() -> None:
    """Train, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cats", type=Path)
    parser.add_argument("--inception", type=Path, required=True, help="torchvision's ImageNet weights, for the distance")
    parser.add_argument("--squeezenet", type=Path, required=True, help="torchvision's ImageNet weights, for perceptual losses")
    parser.add_argument("--out", type=Path, default=Path("runs/variants"))
    parser.add_argument("--jobs", type=int, default=1, help="commands side by side")
    parser.add_argument("--seeds", type=int, default=2, help="of training")
    parser.add_argument("--images", type=int, default=1000, help="validation images that are measured")
    parser.add_argument("--stages", nargs="+", choices=list(MEASURED), default=list(MEASURED), help="whose variants are trained")
    parser.add_argument("--small", action="store_true", help="the demo's networks and fewer steps: for two cores")
    parser.add_argument("--tiny", action="store_true", help="a few steps of all but the long ones, to see whether it works")
    args = parser.parse_args()
    args.quick = TINY if args.tiny else SMALL if args.small else [[], [], []]
    args.short = args.tiny or args.small
    args.temperatures = ["0"] if args.small else ["0", "1"]
    for path in ("cats", "inception", "squeezenet", "out"):
        setattr(args, path, getattr(args, path).absolute())
    variants = Variants(args)
    found = variants.everything()
    print(tables(found))
    content = record([], images=args.images, on="val", seconds=variants.took, variants=found)
    device = "cuda" if "NVIDIA" in content["machine"] else "cpu"
    written: Path = (args.out if args.tiny else RESULTS) / f"variants_{'small_' if args.small else ''}{device}.json"
    written.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
