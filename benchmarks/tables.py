"""The results part of docs/speed.md, from the result files: instruction sets side by side, the arithmetic, the machines.

    python -m benchmarks.tables           # prints it
    python -m benchmarks.tables --write   # puts it into docs/speed.md

A test holds the page to the files.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.arithmetic import Operations
from benchmarks.processor import IN_WORDS
from benchmarks.rows import share_of_rate
from benchmarks.targets import target

PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
BEGIN, END = "<!-- made by python -m benchmarks.tables --write -->", "<!-- end of what is made -->"
SHOWN = ("avx2", "avx512_bf16", "amx")  # columns
GROUPS = (
    "training_lab", "decoding_lab", "table_lab", "training_small", "decoding_small", "table_small", "frechet", "scaling_small",
    "peers_lab", "peers_small", "startup",
)  # fmt: skip
NOT_MEASURED = "not measured"
ARITHMETIC = (
    "The arithmetic behind the rows, in GFLOP of the dense networks. *Counted* is the ratio if every product of both sides ran at "
    "the machine's rate: in float32, as with AVX2, and with our transformer in bf16 at the rates measured beside the row."
)
IN_BF16 = ("avx512_bf16", "amx")
ARITHMETIC_HEADERS = [
    "work",
    "listing",
    "ours: transformer + VQGAN",
    "counted, float32",
    *(f"counted, {IN_WORDS[x]}" for x in IN_BF16),
]
LIMITS = (
    "What forbids more in float32, in GFLOP that our code multiplies (hidden positions only, Winograd), counted while it runs: "
    "*least* is their time at the machine's rate, and *limit* the listing's time over it, the ratio of code that did nothing but "
    "these products. Our own time over *least* is what is left to gain from everything else."
)
LIMIT_HEADERS = ["work", "multiplied", "rate, GFLOP/s", "least", "ours", "aim", "measured", "limit"]

Result = dict[str, Any]  # content of a result file


def read(group: str) -> dict[str, Result]:
    """Return the results of a group by instruction set, of those that are there."""
    paths = {isa: rows.RESULTS / f"{group}_{isa}.json" for isa in SHOWN}
    return {isa: json.loads(path.read_text(encoding="utf-8")) for isa, path in paths.items() if path.is_file()}


def page_part() -> str:
    """Return everything that is made from the result files, Markdown."""
    results = {group: read(group) for group in (*GROUPS, "loaded_small")}
    parts = [
        _markdown(["work", "against", *(IN_WORDS[isa] for isa in SHOWN)], _comparison(results)),
        ARITHMETIC,
        _markdown(ARITHMETIC_HEADERS, _arithmetic(results)),
        LIMITS,
        _markdown(LIMIT_HEADERS, _limits(results)),
        "Where it was measured (rates of matrix products: least to most over the groups):",
        _markdown(
            ["instructions", "machine", "threads", "float32, GFLOP/s", "bf16, GFLOP/s", "pairs", "torch", "load before"],
            _machines(results),
        ),
    ]
    for isa, result in results["loaded_small"].items():
        parts += [f"Beside other programs, {IN_WORDS[isa]}, {result['machine']}:", beside_other_programs(result["rows"])]
    return "\n\n".join(part.strip() for part in parts)


def beside_other_programs(found: Sequence[Result]) -> str:
    """Return the table of the group `loaded`, Markdown: seconds of a step, and times the fastest with nothing beside it."""
    ways = list(found[0]["extra"]["seconds"])
    lines = []
    for row in found:
        seconds, times = row["extra"]["seconds"], row["extra"]["times_a_step_alone"]
        most = row["extra"]["times_at_most"]
        aim = f"{most:g}x{_missed(times['asleep'] > most)}"
        lines.append([row["work"], *(f"{seconds[way]:.3f} s ({times[way]:.2f}x)" for way in ways), aim])
    return _markdown(["", *ways, "asleep, aim: at most"], lines)


def _comparison(results: dict[str, dict[str, Result]]) -> Iterator[list[str]]:
    """Return a line per row of any instruction set, a column per set."""
    for work, against, of_isa in _lines(results):
        some = next(row for _, row in of_isa.values())
        yield [work, against, *(_cell(some["key"], isa, of_isa.get(isa)) for isa in SHOWN)]


def _lines(results: dict[str, dict[str, Result]]) -> Iterator[tuple[str, str, dict[str, tuple[Result, Result]]]]:
    """Return every row of the shown groups: work, other side, and per instruction set its file and the row there."""
    for group in GROUPS:
        found: dict[tuple[str, str], dict[str, tuple[Result, Result]]] = {}
        for isa, result in results[group].items():
            for row in result["rows"]:
                found.setdefault((row["work"], row["against"]), {})[isa] = (result, row)
        for (work, against), of_isa in found.items():
            yield work, against, of_isa


def _cell(key: str, isa: str, measured: tuple[Result, Result] | None) -> str:
    wanted = target(key, isa)
    if measured is None:
        return NOT_MEASURED + (f"; aim {_aim(key, wanted)}" if wanted else "")
    result, row = measured
    if "seconds_above" in row:
        text = f"{row['seconds_above']:+.2f} s ({row['least']:+.2f} to {row['most']:+.2f}), {row['seconds']:.2f} s in all"
        missed = wanted is not None and row["seconds_above"] > wanted
    else:
        text = f"{_digits(row['ratio'])}x ({_digits(row['least'])} to {_digits(row['most'])})"
        missed = wanted is not None and row["ratio"] < wanted
    if operations := row.get("operations"):
        share = share_of_rate(Operations(**operations), result["matrix_rate_flops"], row["precision"], row["seconds"])
        text += f", {100 * share:.0f} % of the rate"
    return text + (f"; aim {_aim(key, wanted)}{_missed(missed)}" if wanted else "")


def _aim(key: str, wanted: float | None) -> str:
    return f"{wanted:+g} s" if key.startswith("startup") else {"peers": "faster", "scaling": "flat"}.get(key, f"{wanted:g}x")


def _digits(ratio: float) -> str:
    return f"{ratio:.{1 if ratio >= 10 else 2}f}"


def _missed(missed: bool) -> str:
    return ", **missed**" if missed else ""


def _arithmetic(results: dict[str, dict[str, Result]]) -> Iterator[list[str]]:
    for work, _, of_isa in _lines(results):
        counted = {isa: (result, row) for isa, (result, row) in of_isa.items() if row.get("operations")}
        if not counted:
            continue
        operations = Operations(**next(row["operations"] for _, row in counted.values()))
        theirs, transformer, vqgan = (
            f"{value / 1e9:,.0f}" for value in (operations.theirs, operations.transformer, operations.vqgan)
        )
        in_float32 = f"{operations.counted_ratio({'fp32': 1.0}, 'fp32'):.2f}x"
        in_bf16 = [NOT_MEASURED] * len(IN_BF16)
        for number, isa in enumerate(IN_BF16):
            result, row = counted.get(isa, (None, None))
            if result is not None and row is not None and row["precision"] == "bf16":
                rates = result["matrix_rate_flops"]
                times = f"{rates['bf16'] / rates['fp32']:.1f} times as fast"
                in_bf16[number] = f"{operations.counted_ratio(rates, 'bf16'):.2f}x ({times})"
        yield [work, theirs, f"{transformer} + {vqgan}", in_float32, *in_bf16]


def _limits(results: dict[str, dict[str, Result]]) -> Iterator[list[str]]:
    for work, _, of_isa in _lines(results):
        for isa, (result, row) in of_isa.items():
            operations, rate = row.get("operations"), result["matrix_rate_flops"]["fp32"]
            if row.get("precision") != "fp32" or not operations or not operations.get("multiplied"):
                continue
            products, wanted = operations["multiplied"], target(row["key"], isa)
            yield [
                f"{work}, {IN_WORDS[isa]}", f"{products / 1e9:,.1f}", f"{rate / 1e9:.0f}", f"{products / rate:.3g} s",
                f"{row['seconds']:.3g} s", f"{wanted:g}x" if wanted else "none", f"{_digits(row['ratio'])}x",
                f"{_digits(Operations(**operations).limit(rate, row['their_seconds']))}x",
            ]  # fmt: skip


def _machines(results: dict[str, dict[str, Result]]) -> Iterator[list[str]]:
    for isa in SHOWN:
        found = [of_isa[isa] for of_isa in results.values() if isa in of_isa]
        for machine in sorted({_machine(result) for result in found}):
            here = [result for result in found if _machine(result) == machine]
            rates = [[result["matrix_rate_flops"][name] / 1e9 for result in here] for name in ("fp32", "bf16")]
            pairs = [row["pairs"] for result in here for row in result["rows"]]
            load = [result["load_average_before_and_after"][0] for result in here]
            yield [
                IN_WORDS[isa], machine, ", ".join(sorted({str(result["threads"]) for result in here})),
                *(f"{min(values):.0f} to {max(values):.0f}" for values in rates),
                f"{min(pairs)} to {max(pairs)}", ", ".join(sorted({result["provenance"]["torch"] for result in here})),
                f"{min(load):.1f} to {max(load):.1f}",
            ]  # fmt: skip


def _machine(result: Result) -> str:
    switched = ", ".join(f"`{name}={value}`" for name, value in result["switches"].items())
    return result["machine"] + (f", emulated: {switched}" if result["emulated"] else "")


def _markdown(headers: Sequence[str], lines: Iterator[list[str]] | Sequence[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headers, ["---"] * len(headers), *lines))


def with_part(page: str, part: str) -> str:
    """Return a page with the part between the marks replaced.

    Raises:
        ValueError: the page does not have both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no place for the tables: the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{part}\n\n{END}{after}"


def main() -> None:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    if parser.parse_args().write:
        PAGE.write_text(with_part(PAGE.read_text(encoding="utf-8"), page_part()), encoding="utf-8")
    else:
        print(page_part())


if __name__ == "__main__":
    main()
