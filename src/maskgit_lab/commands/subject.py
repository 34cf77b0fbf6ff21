"""What `evaluate` measures a grid of: a run on its own images, or the lab's two files on the images of a group `data`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskgit_lab.assembly.lab_networks import lab_filler
from maskgit_lab.assembly.load import load_data
from maskgit_lab.assembly.networks import decode_changes
from maskgit_lab.assembly.read import load_config
from maskgit_lab.assembly.resolution import at_resolution
from maskgit_lab.assembly.schemas import EvaluateConfig, Group
from maskgit_lab.data.image_set import DataSplits
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.inpainter import Inpainter
from maskgit_lab.training.precision import autocast_dtype


@dataclass(frozen=True)
class Subject:
    """Networks and the images that they are measured on."""

    filler: Filler
    splits: DataSplits
    told: dict[str, Any]  # where the networks are from, for the protocol
    wandb: Group | None = None  # the run's dashboard
    folder: Path | None = None  # the run's


def subject(config: EvaluateConfig) -> Subject:
    """Load what is to be measured; errors are those of `Inpainter.from_run` and `load_lab_networks`, and of the images."""
    changes = decode_changes(config.decode)
    if config.run is not None:
        folder = Path(config.run)
        inpainter = Inpainter.from_run(
            folder, checkpoint=config.checkpoint, device=config.device, speed=config.speed, decoder=config.use_decoder, **changes
        )
        run_config = load_config(folder)
        told: dict[str, Any] = {"checkpoint": config.checkpoint}
        found = Subject(inpainter.filler, load_data(run_config.data, config.paths), told, run_config.logger.get("wandb"), folder)
    else:
        assert config.vqgan is not None
        assert config.transformer is not None
        assert config.data is not None
        filler = lab_filler(
            config.vqgan, config.transformer, num_heads=config.num_heads, device=config.device, speed=config.speed, **changes
        )
        told = {"vqgan": Path(config.vqgan).name, "transformer": Path(config.transformer).name}
        found = Subject(filler, load_data(at_resolution(config.data, filler.tokenizer.resolution), config.paths), told)
    return dataclasses.replace(found, filler=dataclasses.replace(found.filler, autocast=autocast_dtype(config.precision)))
