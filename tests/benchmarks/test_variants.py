"""The study of the cats recipe's parts: every command is one that the package takes, runs once, and ends in a table."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import variants
from benchmarks.variants import (
    DECODERS,
    FIRST,
    LONG,
    MEASURED,
    SMALL,
    TINY,
    TOKENIZERS,
    TRANSFORMERS,
    Slots,
    Variants,
    slugged,
    tables,
)
from maskgit_lab.assembly.constructors import check_constructors
from maskgit_lab.assembly.flag_values import check_flag_values
from maskgit_lab.assembly.numbers import check_numbers
from maskgit_lab.assembly.schemas import TrainDecoderConfig
from tests.support.configs import composed, configuration

pytestmark = pytest.mark.thorough

SCORES = {"fd": 0.5, "psnr": 20.0, "mae": 9.0}
MEANS = {name: {"mean": 0.25} for name in ("decoded", "composited", "mae_hole")}
FILLS = {"policy": "confidence", "token_temperature": "0", **MEANS}
TRUE_TOKENS = {"policy": "true tokens", **MEANS}  # the last row of benchmarks.policies

WHOLE = {"quick": [[], [], []], "temperatures": ["0", "1"], "stages": list(MEASURED), "short": False}


class Recorded(Variants):
    """Leaves what the commands would leave."""

    ran: dict[str, tuple[str, list[str]]]

    def command(self, module: str, *arguments: str, name: str, urgency: int) -> str:
        assert name not in self.ran
        self.ran[name] = module, list(arguments)
        given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
        if module.startswith("benchmarks."):
            rows = [SCORES] if module.endswith("reconstruction") else [FILLS, TRUE_TOKENS]
            Path(arguments[arguments.index("--out") + 1]).write_text(json.dumps({"rows": rows}))
        elif module.endswith("train_tokenizer"):
            kept = self.out / "cache" / "tokenizers" / "0123456789abcdef"
            kept.mkdir(parents=True, exist_ok=True)
            (kept / "tokenizer.pt").touch()
        elif module.endswith("train_decoder"):
            (Path(given["run"]) / "decoder.pt").touch()
        else:
            run = Path(given["hydra.run.dir"])
            run.mkdir(parents=True)
            (run / "result.json").write_text('{"status": "completed"}')
        return "kept at cache/tokenizers/0123456789abcdef/tokenizer.pt"


def made(folder: Path, **changes: Any) -> Recorded:
    (folder / "squeezenet.pth").touch()
    arguments = {"cats": folder, "squeezenet": folder / "squeezenet.pth", "inception": folder / "inception.pth", "out": folder}
    args = variants.argparse.Namespace(**arguments, jobs=4, seeds=2, images=8, **{**WHOLE, **changes})
    study = Recorded(args)
    study.ran = {}
    return study


def test_variants_commands_are_taken_by_the_package_and_run_once(tmp_path: Path):
    study = made(tmp_path)
    found = study.everything()
    assert {stage: set(names) for stage, names in found.items()} == {
        "tokenizers": set(TOKENIZERS), "transformers": set(TRANSFORMERS), "decoders": set(DECODERS),
    }  # fmt: skip
    assert all(len(per_seed) == 2 for names in found.values() for per_seed in names.values())
    for name, (module, arguments) in study.ran.items():
        if name.endswith("_1") or module.startswith("benchmarks."):
            continue
        if module.endswith("train_decoder"):
            cfg = composed(*arguments, name="train_decoder")
            assert cfg.decoder.training.fill_steps <= cfg.decoder.training.max_steps
        else:
            config = configuration(*arguments)
            check_flag_values(config)
            check_constructors(config)
            check_numbers(config)
    assert TrainDecoderConfig.__dataclass_fields__.keys() >= {"run", "seed", "perceptual_weights"}
    share = [str(number) for number in composed("experiment=cats_cpu").data.hole_share]
    measured = [arguments for module, arguments in study.ran.values() if module == "benchmarks.policies"]
    assert all(arguments[arguments.index("--hole-share") + 1 :][:2] == share for arguments in measured)
    again = made(tmp_path)
    assert again.everything() == found
    assert not again.ran


def test_variants_that_are_small_leave_out_the_long_ones_and_stages_that_were_not_asked_for(tmp_path: Path):
    study = made(tmp_path, quick=SMALL, stages=["transformers"], short=True)
    found = study.everything()
    assert {stage: set(names) for stage, names in found.items()} == {
        "tokenizers": {FIRST}, "transformers": set(TRANSFORMERS) - set(LONG), "decoders": set(),
    }  # fmt: skip
    for name in ("tokenizer_cats_cpu_0", "transformer_cats_cpu_0"):
        module, arguments = study.ran[name]
        cfg = composed(*arguments, name=module.rpartition(".")[2])
        assert cfg.tokenizer.model.num_codebook_vectors == composed("recipe=tiny").tokenizer.model.num_codebook_vectors
        assert name.startswith("transformer") or cfg.tokenizer.training.max_steps == 600


@pytest.mark.parametrize("quick", [SMALL, TINY], ids=["small", "tiny"])
def test_variants_are_what_their_names_say_when_they_are_short_too(quick: list[list[str]], tmp_path: Path):
    study = made(tmp_path, quick=quick, short=True)
    study.everything()
    for stage, variants_of_it, prefix in (
        ("tokenizer", TOKENIZERS, "tokenizer."), ("transformer", TRANSFORMERS, ""), ("decoder", DECODERS, "decoder."),
    ):  # fmt: skip
        for name in set(variants_of_it) - set(LONG):
            _, arguments = study.ran[slugged(stage, name, 0)]
            last = dict(argument.split("=", 1) for argument in arguments)  # the last one counts, as for Hydra
            for told in study.overrides(variants_of_it[name], prefix):
                key, value = told.split("=", 1)
                assert last[key] == value, name


def test_variants_tables_have_a_row_per_variant_with_the_spread_over_seeds():
    rows = [[SCORES], [SCORES | {"fd": 0.7}]]
    text = tables({"tokenizers": {FIRST: rows}, "transformers": {FIRST: [[FILLS, TRUE_TOKENS]]}, "decoders": {}})
    assert "| cats_cpu | 0.60 ± 0.14 | 20.00 ± 0.00 | 9.000 ± 0.000 | 2 |" in text
    assert "| cats_cpu | 0 | 0.25 | 0.25 | 0.25 | 1 |" in text
    assert "| cats_cpu | true tokens | 0.25 | 0.25 | 0.25 | 1 |" in text


def test_slots_are_taken_by_the_most_urgent_first_and_never_by_more_than_there_are():
    slots, order, at_once, most = Slots(1), list[int](), [0], [0]
    blocked = threading.Event()

    def work(urgency: int) -> None:
        with slots.slot(urgency):
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            order.append(urgency)
            blocked.wait(5)
            at_once[0] -= 1

    threads = [threading.Thread(target=work, args=(urgency,)) for urgency in (9, 3, 1, 2)]
    threads[0].start()
    while not order:
        time.sleep(0.001)
    for thread in threads[1:]:
        thread.start()
    while len(slots.waiting) < 3:
        time.sleep(0.001)
    blocked.set()
    for thread in threads:
        thread.join(5)
    assert order == [9, 1, 2, 3]
    assert most == [1]


def test_variants_names_are_files_of_their_own():
    names = [slugged("tokenizer", name, 0) for name in TOKENIZERS] + [slugged("decoder", name, 0) for name in DECODERS]
    assert len(set(names)) == len(names)
