"""The device that a command names, and whether it is here."""

import torch


def chosen_device(name: str) -> torch.device:
    """Return the device that `device` names, auto = a GPU where there is one; ValueError when it is not here."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device={name}: torch knows no such device; device=auto takes what there is") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count() if cuda else 0, "mps": int(mps)}.get(device.type)
    if count is not None and (device.index or 0) >= count:
        found = f"{count} of them here" if count else "no GPU here"
        raise ValueError(f"device={name}: torch finds {found}; device=auto takes what there is, device=cpu needs none")
    return device
