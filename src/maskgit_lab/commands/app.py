"""Serve the page on which a run fills holes, and the report of a run or a sweep."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskgit_lab.assembly.decode_choices import choices
from maskgit_lab.assembly.networks import decode_changes, schedule_for
from maskgit_lab.assembly.schemas import AppConfig
from maskgit_lab.commands.report import report_blocks
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.reporting.page import render_html
from maskgit_lab.runs.folder import RunFolder
from maskgit_lab.web.fill_request import FillChoices
from maskgit_lab.web.limits import Limits
from maskgit_lab.web.painting import Painting
from maskgit_lab.web.report_page import report_route
from maskgit_lab.web.server import Application, Place, application, serve


def app(config: AppConfig) -> None:
    """Serve until Ctrl-C; ValueError when the port is taken."""
    root = Path(config.run)
    place = Place(host=config.host, port=config.port, allowed_hosts=config.allowed_hosts)
    limits = Limits(
        max_upload_bytes=config.max_upload_bytes, max_pixels=config.max_pixels, max_kept_bytes=config.max_kept_bytes,
        max_queue=config.max_queue, max_seconds=config.max_seconds, max_samples=config.max_samples, max_steps=config.max_steps,
    )  # fmt: skip
    asyncio.run(serve(_application(config, root, place, limits), place))


def _application(config: AppConfig, root: Path, place: Place, limits: Limits) -> Callable[[], Application]:
    """Return what makes the application inside the running loop; networks are loaded now."""
    render = partial(_report, root)
    if not RunFolder(root).config.is_file():  # a sweep
        return lambda: application([report_route("/", render)], place=place, limits=limits)
    inpainter = Inpainter.from_run(
        root, checkpoint=config.checkpoint, device=config.device, seed=config.seed, speed=config.speed, decoder=config.use_decoder,
        **decode_changes(config.decode),
    )  # fmt: skip
    tokens = inpainter.filler.tokenizer.num_image_tokens
    if config.mask_schedule is not None:
        inpainter = inpainter.with_decode(mask_schedule=schedule_for(config.mask_schedule, tokens))
    limits = replace(limits, max_steps=max(limits.max_steps, inpainter.filler.settings.num_steps))  # the run's own are allowed
    schedules = {name: choice.for_grid(tokens) for name, choice in choices("mask_schedule").items()}
    offered = FillChoices(schedules=schedules, policies=choices("decode/policy"), limits=limits)

    def made() -> Application:
        painting = Painting.of(inpainter, settings=inpainter.filler.settings, choices=offered, name=_name(root), seed=config.seed)
        routes = [*painting.routes(), report_route("/report", render)]
        return application(routes, place=place, limits=limits, queue=painting.queue)

    return made


def _name(root: Path) -> str:
    """Return a run's name as people know it: its folder below the name of the experiment."""
    return "/".join(root.resolve().parts[-2:])


def _report(root: Path) -> str:
    return render_html(*report_blocks(root))
