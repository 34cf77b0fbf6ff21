"""Give a fill the tones of what is known around it."""

import numpy as np


def matched(decoded: np.ndarray, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Map the values of each channel of a decoded image so that its known pixels have the distribution of the true ones.

    Args:
        decoded: (R, R, 3) uint8.
        image: (R, R, 3) uint8.
        hole: (R, R) bool; the mapping is found outside it and applied everywhere.

    Returns:
        (R, R, 3) uint8; `decoded` where nothing is known.
    """
    known = ~hole
    if not known.any():
        return decoded
    shares = []
    for pixels in (decoded, image):
        counts = np.stack([np.bincount(pixels[known][:, channel], minlength=256) for channel in range(3)])
        shares.append((counts.cumsum(1) - counts / 2) / known.sum())  # of pixels below each value, half of those at it
    values = np.arange(256)
    result = np.empty_like(decoded)
    for channel in range(3):
        some = np.flatnonzero(np.diff(shares[1][channel], prepend=-1) > 0)
        table = np.interp(shares[0][channel], shares[1][channel][some], values[some])
        result[..., channel] = table.round().astype(np.uint8)[decoded[..., channel]]
    return result
