"""How the documented commands are made small enough to be run: everything that is added to them or replaced in them, and why.

A command runs as it is documented, with the rows below whose pattern is found in it. Placeholders (RUN, DIR, photos, weights) are
made by `tests.support.workplace`. What is typed wins over what a row adds.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

TRAINS = r"maskgit_lab\.train(_tokenizer)? (?!.*resume=runs)"  # a run that goes on has its sizes from its folder
INCEPTION_2015 = r"metrics=inception( |$)"


@dataclass(frozen=True)
class Row:
    """One thing that is done to commands."""

    of: str  # regular expression: to the commands in which it is found
    why: str
    add: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)  # what is written there: what is run


ROWS = (
    Row(
        TRAINS,
        "one epoch, a few holes and few figures, on the CPU",
        add=(
            "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.precision=32-true", "data.num_train_holes=16",
            "data.num_val_fills=4", "decode.figure_steps=2",
        ),
    ),
    Row(TRAINS + "(?!experiment=cosine$)", "no dashboard, which costs a second", add=("logger=csv",)),
    Row(
        TRAINS + r"(?!.*recipe=lab)",
        "a tokenizer of a few steps, a pixel context of one block",
        add=(
            "tokenizer.model.channels=16", "tokenizer.model.num_blocks=1", "tokenizer.model.num_decoder_blocks=1",
            "tokenizer.model.num_codebook_vectors=32", "tokenizer.training.max_steps=4", "tokenizer.training.val_every_n_steps=2",
            "model.context.channels=16", "model.context.num_blocks=1",
        ),
    ),
    Row(
        TRAINS,
        "a transformer of one block",
        add=("model.transformer.dim=32", "model.transformer.num_layers=1", "model.transformer.hidden_dim=48"),
    ),
    Row(
        TRAINS + r"(?!.*(data=|cats_|discs))",
        "few painted cats",
        add=("data.source.num_train=24", "data.source.num_val=8", "data.source.num_test=8"),
    ),
    Row("experiment=discs", "few discs", add=("data.source.num_train=24", "data.source.num_val=8", "data.source.num_test=8")),
    Row(
        r"\.train.* data=image_folder",
        "of twelve photos more than half are held out",
        add=("data.source.val_share=0.6", "data.batch_size=4"),
    ),
    Row(
        "experiment=cats_(cpu|best)",
        "a decoder of a few steps, batches for a dozen cats",
        add=("decoder.training.max_steps=4", "decoder.training.fill_steps=2", "decoder.training.num_fills=8", "data.batch_size=4"),
    ),
    Row(
        r"\.train_decoder ",
        "a decoder of a few steps",
        add=("decoder.training.max_steps=4", "decoder.training.fill_steps=2", "decoder.training.num_fills=8", "accelerator=cpu"),
        instead={"max_steps=600": "max_steps=4", "fill_steps=120": "fill_steps=2"},
    ),
    Row("trainer.max_epochs=20", "an epoch more than the run has", instead={"trainer.max_epochs=20": "trainer.max_epochs=3"}),
    Row("data.train_mask_hole=black", "black masks", instead={"data.train_masks=masks": "data.train_masks=mask64"}),
    Row("experiment=sweep_schedule", "two of six jobs", add=("mask_schedule=linear,cosine", "seed=0")),
    Row("experiment=sweep_sweet_spot", "four of 18 jobs", add=("mask_schedule=linear,cosine", "decode.sweet_spot=3,5", "seed=0")),
    Row("hydra/sweeper=optuna", "two trials", instead={"hydra.sweeper.n_trials=20": "hydra.sweeper.n_trials=2"}),
    Row(
        "submitit_slurm",
        "no cluster is at hand: submitit's executor on this machine, two jobs",
        add=("hydra.launcher.submitit_folder=submitit",),
        instead={"submitit_slurm": "submitit_local", "linear,cosine,square": "linear"},
    ),
    Row(
        "trainer=multi_gpu(?!.*trainer.devices)",
        "two processes on the CPU instead of all GPUs",
        add=("trainer.devices=2",),
    ),
    Row(
        "--nproc-per-node 4 -m.*trainer.devices=4$",
        "two processes on the CPU instead of four GPUs",
        instead={"--nproc-per-node 4": "--nproc-per-node 2", "trainer.devices=4": "trainer.devices=2"},
    ),
    Row(
        "--nnodes 2 --nproc-per-node 4",
        "one process on the CPU for each of two machines, which are both this one",
        instead={"node 4": "node 1", "trainer.devices=4": "trainer.devices=1", "HOST:29500": "127.0.0.1:PORT"},
    ),
    Row(
        INCEPTION_2015,
        "its network costs a second an image on one core",
        add=("max_images=3", "schedules=[cosine]", "sweet_spots=[7]"),
        instead={"seeds=[0,1,2,3,4]": "seeds=[0]"},
    ),
    Row(
        "metrics=inception_imagenet",
        "its network costs a second an image on one core",
        add=("max_images=3", "schedules=[cosine]", "sweet_spots=[7]", "seeds=[0]"),
    ),
    Row(r"\.evaluate (?!.*outputs=)", "few images and seeds", add=("max_images=4", "seeds=[0,1]")),
    Row(r"\.app ", "a port that is free", add=("port=0",)),
)  # fmt: skip


def rows_of(line: str) -> list[Row]:
    """Return the rows that are for a command."""
    return [row for row in ROWS if re.search(row.of, line)]


def made_small(line: str) -> list[str]:
    """Return the words of a documented command as it is run."""
    rows = rows_of(line)
    for row in rows:
        for written, run in row.instead.items():
            line = line.replace(written, run)
    words = shlex.split(line)
    if "-m" in words[3:]:  # a sweep
        words = fewer_jobs(words)
    for row in rows:
        typed = {text.partition("=")[0] for text in words}
        words += [text for text in row.add if text.partition("=")[0] not in typed]
    return words


def fewer_jobs(words: list[str]) -> list[str]:
    """Return the words of a sweep with two values of its first two keys, and one of the others."""
    made: list[str] = []
    left = [2, 2]
    for word in words:
        key, _, value = word.partition("=")
        if "," in value and not {"(", "["} & set(value):
            count = left.pop() if left else 1
            word = f"{key}={','.join(value.split(',')[:count])}"
        made.append(word)
    return made


@dataclass(frozen=True)
class Benchmark:
    """What is run of a benchmark, or of the faults."""

    run: tuple[str, ...]  # module and arguments
    says: str  # among what it prints
    why: str


NEEDS_A_GPU = "needs a CUDA device: what it is told is only read"
TOO_LONG = "takes minutes at its least: what it is told is only read"
USAGE = "usage:"
BENCHMARKS = {
    "python -m benchmarks.identical runs/before/* runs/after/*": Benchmark(
        ("benchmarks.identical", "runs/before/RUN", "runs/after/RUN"), "", "the shell's * is one run here"
    ),
    "python -m benchmarks.run throughput decoding table --device cuda --images 747 --listing-images 8 --pairs 3": Benchmark(
        ("benchmarks.run", "--help"), USAGE, NEEDS_A_GPU
    ),
    "python -m benchmarks.lab_experiment DIR --inception inception_v3.pth --squeezenet squeezenet1_0.pth": Benchmark(
        ("benchmarks.lab_experiment", "--help"), USAGE, "trains the lab's networks for hours"
    ),
    "python -m benchmarks.variants DIR --inception inception_v3.pth --squeezenet squeezenet1_0.pth --small --stages tokenizers "
    "--images 500 --jobs 2": Benchmark(("benchmarks.variants", "--help"), USAGE, "trains two dozen tokenizers"),
    "python -m benchmarks.variants DIR --inception inception_v3.pth --squeezenet squeezenet1_0.pth --small --stages transformers "
    "--images 300 --jobs 2": Benchmark(("benchmarks.variants", "--help"), USAGE, "trains sixteen networks"),
    "python -m benchmarks.reconstruction TOKENIZER.pt ... --data DIR --inception inception_v3.pth --images 747 "
    "--on test": Benchmark(
        ("benchmarks.reconstruction", "RUN/tokenizer.pt", "--data", "DIR", "--inception", "inception_v3.pth", "--images", "3",
         "--on", "test", "--cache", "cache"), "codes in use", "one tokenizer, three images"
    ),
    "python -m benchmarks.discriminator RUN --squeezenet squeezenet1_0.pth": Benchmark(
        ("benchmarks.discriminator", "RUN", "--images", "20", "--steps", "5", "--rates", "2e-4"), "PatchGAN", "one rate, five steps"
    ),
    "python -m benchmarks.shown RUN": Benchmark(("benchmarks.shown", "RUN", "--images", "4"), "true tokens", "four images"),
    "python -m benchmarks.policies RUN --steps 4 8 16 --token-temperature 1.0": Benchmark(
        ("benchmarks.policies", "RUN", "--steps", "4", "--token-temperature", "1.0", "--policies", "confidence", "halton",
         "--images", "4", "--seeds", "2", "--cache", "cache"), "halton", "two policies, four images"
    ),
    "python -m benchmarks.policies RUN --on val --images 300 --seeds 2 --inception inception_v3.pth --policies confidence "
    "--steps 8 --token-temperature 0 0.5 0.7 0.85 1": Benchmark(
        ("benchmarks.policies", "RUN", "--on", "val", "--images", "3", "--seeds", "2", "--policies", "confidence", "--steps", "8",
         "--token-temperature", "0", "1", "--cache", "cache"), "confidence",
        "three images, features of the tokenizer, two temperatures"
    ),
    "python -m benchmarks.policies RUN --on val --images 300 --seeds 2 --inception inception_v3.pth --policies halton p2 margin "
    "entropy eb --steps 8 --token-temperature 1": Benchmark(
        ("benchmarks.policies", "RUN", "--on", "val", "--images", "3", "--seeds", "2", "--policies", "halton", "p2", "margin",
         "entropy", "eb", "--steps", "8", "--token-temperature", "1", "--cache", "cache", "--out", "policies.json"), "margin",
        "three images, features of the tokenizer"
    ),
    "python -m benchmarks.policies RUN --on val --images 150 --seeds 2 --inception inception_v3.pth --policies confidence p2 "
    "margin entropy halton remdm --steps 4 8 16 --token-temperature 0.5": Benchmark(
        ("benchmarks.policies", "RUN", "--on", "val", "--images", "3", "--seeds", "2", "--policies", "p2", "remdm", "--steps", "2",
         "4", "--token-temperature", "0.5", "--cache", "cache"), "remdm",
        "three images, features of the tokenizer, two policies"
    ),
    "python -m benchmarks.policies RUN --on test --images 747 --seeds 1 --inception inception_v3.pth --policies confidence "
    "--steps 1 7": Benchmark(
        ("benchmarks.policies", "RUN", "--on", "test", "--images", "3", "--seeds", "1", "--inception", "inception_v3.pth",
         "--policies", "confidence", "--steps", "1", "7", "--cache", "cache"), "true tokens", "three images"
    ),
    "python -m benchmarks.policies RUN --policies confidence --steps 7 --on val --images 500 --seeds 2 "
    "--inception inception_v3.pth": Benchmark(
        ("benchmarks.policies", "RUN", "--policies", "confidence", "--steps", "7", "--on", "val", "--images", "3", "--seeds", "2",
         "--inception", "inception_v3.pth", "--cache", "cache"), "confidence", "three images"
    ),
    "python -m benchmarks.run training --size small --pairs 3": Benchmark(
        ("benchmarks.run", "training", "--size", "small", "--pairs", "1", "--batch-size", "1"), "training_small", "one pair"
    ),
    "python -m benchmarks.run training decoding table --size small --isa avx2": Benchmark(
        ("benchmarks.run", "decoding", "--size", "small", "--pairs", "1", "--images", "1"), "decoding_small",
        "one group, one image, with all instructions there are: training is run above, --isa begins the program anew"
    ),
    "python -m benchmarks.shares --size small --isa avx2": Benchmark(
        ("benchmarks.shares", "--size", "small", "--images", "1"), "Table 1", "one image, with all instructions there are"
    ),
    "python -m benchmarks.run startup": Benchmark(("benchmarks.run", "--help"), USAGE, TOO_LONG),
    "python -m benchmarks.run refresh --run runs/cosine/RUN": Benchmark(
        ("benchmarks.run", "refresh", "--run", "runs/cosine/RUN", "--pairs", "1", "--images", "2"), "refresh", "one pair"
    ),
    "python -m benchmarks.run peers": Benchmark(("benchmarks.run", "--help"), USAGE, "needs packages that are not in [dev]"),
    "python -m benchmarks.run loaded": Benchmark(("benchmarks.run", "--help"), USAGE, TOO_LONG),
    "python -m benchmarks.run kernels --size small": Benchmark(("benchmarks.run", "--help"), USAGE, TOO_LONG),
    "python -m benchmarks.run compiled": Benchmark(("benchmarks.run", "--help"), USAGE, TOO_LONG),
    "python -m benchmarks.tables --write": Benchmark(("benchmarks.tables", "--write"), "", "on copies of the page and the results"),
    "python -m benchmarks.million": Benchmark(
        ("benchmarks.million", "--pictures", "600", "--steps", "2"), "", "600 images instead of a million"
    ),
    "python benchmarks/grid.py runs/cosine/RUN": Benchmark(
        ("benchmarks.grid", "runs/cosine/RUN", "--images", "2", "--repeats", "1", "--cache", "cache"), "", "two images, once"
    ),
    "python -m tests.faults fuzz --only images --seed 17 --times 1": Benchmark(
        ("tests.faults", "fuzz", "--only", "images", "--seed", "17", "--times", "1"), "images", "as it is"
    ),
}  # fmt: skip
# what no test can run: why
NOT_RUN = {
    "python -m pytest -m gpu -o addopts=": "the tests in the tests; those of that mark need a CUDA device",
    "srun --kill-on-bad-exit=1 python -m maskgit_lab.train trainer=multi_gpu trainer.devices=4 trainer.num_nodes=2 name=large":
        "needs a cluster; composed, and run with torch.distributed.run in place of srun",
    "wandb sweep conf/wandb_sweep.yaml": "needs an account of wandb",
    "ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 OPENBLAS_CORETYPE=Haswell python -m ...":
        "any command with other instructions",
}  # fmt: skip
