"""The decoder stage: find a run's conditional decoder by its key (`keys`), or train it."""

import dataclasses
import hashlib
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from maskgit_lab.assembly.config import build
from maskgit_lab.assembly.discriminator import build_discriminator
from maskgit_lab.assembly.keys import decoder_key
from maskgit_lab.assembly.schemas import DecoderConfig, TrainConfig
from maskgit_lab.data.array_cache import cached_array
from maskgit_lab.data.datamodule import InpaintingDataModule, Serving
from maskgit_lab.data.image_set import DataSplits, mirrored_images
from maskgit_lab.data.only_one import only_one
from maskgit_lab.evaluation.fill_set import Filler
from maskgit_lab.machine.json_file import to_json
from maskgit_lab.machine.text_file import write_text
from maskgit_lab.models.frozen_decoder import FrozenDecoder
from maskgit_lab.models.tokenizer import weights_hash
from maskgit_lab.training.decoder_module import FillBank
from maskgit_lab.training.decoder_training import train_decoder
from maskgit_lab.training.precision import autocast_dtype

log = logging.getLogger("maskgit_lab")

FILL_IMAGES = 11  # stream of the choice of training images that are filled


def find_or_train_decoder(
    decoder: DecoderConfig,
    config: TrainConfig,
    splits: DataSplits,
    filler: Filler,
    *,
    seed: int,
    cache: Path,
    folder: Path,
    accelerator: str,
    precision: str,
) -> FrozenDecoder:
    """Find the decoder in decoders/KEY/ in the cache, or train it in one process while others wait for it.

    Args:
        decoder: its networks and training.
        config: of its run.
        splits: the run's images.
        filler: the run's networks, for the fills that the last steps see.
        seed: of the draws.
        cache: derived files; an interrupted training goes on from here.
        folder: the run folder; decoder/ inside it gets metrics.csv.
        accelerator: Lightning's name of one.
        precision: Lightning's name of one.

    Returns:
        The decoder.
    """
    # made in the stage's precision, which its key does not name, like that of stage 1
    filler = dataclasses.replace(filler, seed=seed, autocast=autocast_dtype(precision), decoder=None)
    if (steps := decoder.training.get("fill_decode_steps")) is not None:
        filler = dataclasses.replace(filler, settings=dataclasses.replace(filler.settings, num_steps=steps, sweet_spot=None))
    painter = _painter(filler, int(decoder.training["num_fills"])) if decoder.training["fill_steps"] else None
    key = decoder_key(decoder, config, splits, filler.tokenizer, seed=seed, fills=painter)
    path = cache / "decoders" / key / "decoder.pt"
    found = _cached(path, filler)
    if found is None:
        with only_one(path):
            found = _cached(path, filler, tell=True)
            if found is None:
                start = time.perf_counter()
                log.info(f"Decoder: training {key} in {precision} on {splits.description}")
                found, scores = _train(
                    decoder, config, splits, filler, seed=seed, cache=cache, folder=folder, checkpoints=path.parent,
                    accelerator=accelerator, precision=precision, painter=painter,
                )  # fmt: skip
                scores = {"seconds": round(time.perf_counter() - start, 1), **scores}
                write_text(path.parent / "scores.json", to_json(scores))
                write_text(path.parent / "config.json", to_json(asdict(decoder)))
                found.save(path)  # last: when it is there, the rest is
                said = ", ".join(f"{name} {scores[f'val/mae_{name}']:.2f}" for name in ("hole", "known", "unconditional"))
                log.info(f"Decoder: done in {scores['seconds']:.0f} s, val error of 255 with true tokens: {said}; kept at {path}")
                return found
    log.info(f"Decoder: {key} found in the cache")
    return found


def _cached(path: Path, filler: Filler, *, tell: bool = False) -> FrozenDecoder | None:
    """Return the decoder in the cache; None when there is none, or when it is damaged, which `tell` says in the log."""
    try:
        return FrozenDecoder.load(path, filler.tokenizer)
    except FileNotFoundError:
        return None
    except ValueError as error:
        if tell:
            log.warning(f"Cache: {error}. Here it is made again")
        return None


def _train(
    decoder: DecoderConfig,
    config: TrainConfig,
    splits: DataSplits,
    filler: Filler,
    *,
    seed: int,
    cache: Path,
    folder: Path,
    checkpoints: Path,
    accelerator: str,
    precision: str,
    painter: str | None,
) -> tuple[FrozenDecoder, dict[str, float]]:
    own = dict(decoder.training)
    torch.manual_seed(seed)  # the key names this seed, not what was drawn before, with any other
    network = build(decoder.model, network=filler.tokenizer.model)
    built = {
        "perceptual": build(own["perceptual"]) if own["perceptual"] is not None else None,
        "discriminator": build_discriminator(own["discriminator"], mean=filler.tokenizer.mean, std=filler.tokenizer.std),
    }
    batch_size, num_fills, _ = own.pop("batch_size"), own.pop("num_fills"), own.pop("fill_decode_steps", None)
    items = len(splits.train) * (2 if config.data["flip"] else 1)
    if batch_size > items:
        log.warning(f"decoder.training.batch_size ({batch_size}) exceeds the training set: the decoder takes all {items} at once")
    serving = dataclasses.replace(Serving.of(config.data), batch_size=min(batch_size, items))
    data = InpaintingDataModule(
        splits=splits, tokenizer=filler.tokenizer, cache=cache, serving=serving, with_images=True, seed=config.seed
    )
    holes = data.train_holes()
    fills = (
        _fills(filler, splits.train.images, holes, painter, count=num_fills, flip=serving.flip, cache=cache) if painter else None
    )
    return train_decoder(
        network=network, datamodule=data, holes=holes, fills=fills, folder=folder, checkpoints=checkpoints, accelerator=accelerator,
        precision=precision, seed=seed, **{**own, **built},
    )  # fmt: skip


def _painter(filler: Filler, num_fills: int) -> str:
    """Return a hash of all that the run's fills depend on beside images and holes."""
    about = json.dumps([filler.settings.as_dict(), filler.seed, num_fills], sort_keys=True, default=str)
    return weights_hash(filler.model.state_dict(), about + filler.tokenizer.sha256)


def _fills(
    filler: Filler, images: np.ndarray, holes: Tensor, painter: str, *, count: int, flip: bool, cache: Path
) -> FillBank:  # fmt: skip
    """Fill training images, or find their tokens in the cache."""
    rng = np.random.Generator(np.random.Philox(key=[filler.seed, FILL_IMAGES]))
    chosen = rng.integers(0, len(images) * (2 if flip else 1), count)
    shown = mirrored_images(images, chosen)
    hidden = holes[torch.from_numpy(rng.integers(0, len(holes), count))].numpy()
    digest = hashlib.sha256(f"{painter} {filler.autocast}".encode() + shown.tobytes() + hidden.tobytes()).hexdigest()

    def fill(out: np.ndarray) -> None:
        log.info(f"Decoder: filling {count} training images for its last steps")
        with tqdm(total=count, desc="Filling training images", unit="img") as bar:
            for part, tokens in filler.token_batches(shown, hidden):
                out[part] = tokens.cpu().numpy()
                bar.update(len(tokens))

    shape = (count, filler.tokenizer.num_image_tokens)
    tokens = cached_array(cache / "fills" / f"{digest}.npy", shape=shape, dtype=np.dtype(np.int32), fill=fill)
    return FillBank(torch.from_numpy(shown), torch.from_numpy(hidden), torch.from_numpy(np.array(tokens, dtype=np.int64)))
