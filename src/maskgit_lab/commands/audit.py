"""Find the duplicates of a data set as distributed, and whether training has holes like the test's."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maskgit_lab.assembly.hole_shapes import shapes_of_holes
from maskgit_lab.assembly.load import load_data
from maskgit_lab.assembly.schemas import AuditConfig
from maskgit_lab.commands.results import check_results
from maskgit_lab.data.cat_faces import without_test_images
from maskgit_lab.data.duplicates import Exact, exact_duplicates, pixel_keys
from maskgit_lab.data.hole_shapes import OWN_MASKS, HoleShape, better_style
from maskgit_lab.data.near_duplicates import near_pairs, thumbnails
from maskgit_lab.machine.json_file import to_json
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.reporting.figures import save_pairs
from maskgit_lab.reporting.markdown import escaped
from maskgit_lab.reporting.tables import render_markdown, render_table
from maskgit_lab.runs.folder import shown_path

log = logging.getLogger("maskgit_lab")


def audit(config: AuditConfig) -> None:
    """Look at the data as distributed and write what was found."""
    out = Path(config.out).expanduser()
    check_results([out / name for name in ("audit.json", "audit.md", "pairs.png")], overwrite=config.overwrite)
    splits = load_data(config.data, config.paths)
    images = {"train": splits.train.images, "val": splits.val.images}
    names = {"train": splits.train.names, "val": splits.val.names}
    if splits.test.truth is not None:
        images["test"], names["test"] = splits.test.truth, splits.test.names
    else:
        log.info("The test images have no truth: only their known pixels are compared with train and val")
    exact = exact_duplicates(images)
    pairs, counts = near_pairs(
        {name: thumbnails(pixels) for name, pixels in images.items()},
        {name: pixel_keys(pixels) for name, pixels in images.items()},
        num_pairs=config.num_pairs,
        below=config.near,
    )
    clean = {name: len(without_test_images(getattr(splits, name), splits.test)) for name in ("train", "val")}
    shapes = shapes_of_holes(config.data, splits)
    found: dict[str, Any] = {
        "data": splits.description,
        "exact": {name: asdict(value) for name, value in exact.items()},
        "near": {"below": config.near, "counts": {f"{a} in {b}": n for (a, b), n in counts.items()}},
        "pairs": [
            {"a": names[p.split_a][p.index_a], "b": names[p.split_b][p.index_b], **asdict(p)} for p in pairs
        ],
        "clean": {**clean, "test": len(splits.test)},
        "holes": {name: asdict(shape) for name, shape in shapes.items()},
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    parts = [(*_table(exact), _sentences(found, exact, counts, config.near)), (*_hole_table(shapes), _hole_sentences(shapes))]
    write_text(out / "audit.json", to_json(found))
    listed = ("\n".join(f"- {escaped(sentence)}" for sentence in sentences) for *_, sentences in parts)
    tables = (render_markdown(headers, rows) for headers, rows, _ in parts)
    write_text(out / "audit.md", "\n".join(f"{table}\n{lines}\n" for table, lines in zip(tables, listed, strict=True)))
    for headers, rows, sentences in parts:
        log.info("\n" + render_table(headers, rows) + "\n\n" + "\n".join(sentences))
    written = [out / "audit.json", out / "audit.md"]
    if pairs:
        sides = [
            (images[p.split_a][p.index_a], images[p.split_b][p.index_b], f"{p.split_a} - {p.split_b}  {p.distance:.1f}")
            for p in pairs
        ]  # fmt: skip
        written.append(save_pairs(out / "pairs.png", sides))
    log.info(f"\nWritten: {', '.join(shown_path(path) for path in written)}")


def _table(exact: dict[str, Exact]) -> tuple[list[str], list[list[Any]]]:
    headers = ["split", "pictures", "distinct", *(f"also in {name}" for name in exact), "elsewhere"]
    rows = [
        [name, e.num_pictures, e.num_distinct, *(e.found_in.get(other, "-") for other in exact), e.found_elsewhere]
        for name, e in exact.items()
    ]
    return headers, rows


def _sentences(found: dict[str, Any], exact: dict[str, Exact], counts: dict[tuple[str, str], int], near: float) -> list[str]:
    lines = []
    if "test" in exact:
        test = exact["test"]
        lines.append(
            f"{test.found_in['train']:,} of {test.num_pictures:,} test images are in train, pixel for pixel; "
            f"{test.found_elsewhere:,} in train or val"
        )
    lines += [
        f"{count:,} images of {a} have a near copy{'' if a == b else f' in {b}'} (below {near:g} grey levels, not equal)"
        for (a, b), count in counts.items()
    ]
    clean = found["clean"]
    lines.append(
        f"data.split=clean leaves {clean['train']:,} train / {clean['val']:,} val images for {clean['test']:,} test images"
    )
    return lines


def _hole_table(shapes: dict[str, HoleShape]) -> tuple[list[str], list[list[Any]]]:
    headers = ["holes", "number", "pixels", "from", "to", "cells touched", "of them wholly"]
    rows = [
        [name, s.num_holes, *(f"{100 * value:.1f} %" for value in (s.pixels, s.least, s.most, s.cells, s.whole))]
        for name, s in shapes.items()
    ]
    return headers, rows


def _hole_sentences(shapes: dict[str, HoleShape]) -> list[str]:
    """Say whether another style of holes would be more like the test's."""
    if not shapes:
        return ["Holes are not compared: there are no test images, or they do not divide into cells of tokens"]
    _, trained, *_ = shapes
    if trained == OWN_MASKS:
        return [f"Training takes its holes from {OWN_MASKS}"]
    told = better_style(shapes)
    return [told or f"Training draws its holes with data.hole_style={trained}; no other style is much more like the test's"]
