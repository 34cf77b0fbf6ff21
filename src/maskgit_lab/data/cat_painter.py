"""Paint cat faces from distances to simple shapes: every function works on a batch of images at once.

A field is a (n, R, R) float32 array over the pixels of n images, a parameter an (n, 1, 1) array. `edge` turns a signed distance
(negative inside) into coverage, so that all outlines are anti-aliased.
"""

from dataclasses import dataclass

import numpy as np

# beyond it float32's exp overflows; the distance is far outside any outline there
MAX_EXPONENT = 60.0

Field = np.ndarray  # (n, R, R) float32
Param = np.ndarray  # (n, 1, 1) float32
Image = np.ndarray  # (n, 3, R, R) float32 in [0, 1]; channels first: numpy is slow over a last axis of 3


@dataclass(frozen=True)
class Face:
    """Pixel coordinates of the head: u to the right, v down, the head about 0.75 wide, after roll, yaw, shift and scale."""

    u: Field
    v: Field
    softness: Param  # half a pixel in head units

    def edge(self, distance: Field, blur: float = 1.0) -> Field:
        """Return coverage in [0, 1] of a shape with this signed distance."""
        return np.clip(0.5 - distance / (2 * blur * self.softness), 0, 1)

    def ellipse(self, cx: Param | float, cy: Param | float, rx: Param | float, ry: Param | float) -> Field:
        """Return the signed distance (first order) to an ellipse."""
        x, y = (self.u - cx) / rx, (self.v - cy) / ry
        return (np.sqrt(x * x + y * y + 1e-6) - 1) * np.minimum(rx, ry)

    def triangle(self, corners: list[tuple], rounding: float) -> Field:
        """Return the signed distance (first order) to a rounded triangle; corners are three (u, v) pairs of parameters."""
        total = np.zeros_like(self.u)
        for (ax, ay), (bx, by), (ox, oy) in zip(corners, corners[1:] + corners[:1], corners[2:] + corners[:2], strict=True):
            nx, ny = by - ay, ax - bx
            length = np.sqrt(nx * nx + ny * ny)
            # the normal points away from the third corner, whichever way round the corners go
            sign = -np.sign(nx * (ox - ax) + ny * (oy - ay))
            slope_u, slope_v = sign * nx / (length * rounding), sign * ny / (length * rounding)
            outside = slope_u * self.u + (slope_v * self.v - (slope_u * ax + slope_v * ay))
            total += np.exp(np.minimum(outside, MAX_EXPONENT))
        return rounding * np.log(total)

    def segment(self, ax: Param | float, ay: Param | float, bx: Param | float, by: Param | float) -> Field:
        """Return the distance to a line segment."""
        dx, dy = bx - ax, by - ay
        t = np.clip(((self.u - ax) * dx + (self.v - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        x, y = self.u - ax - t * dx, self.v - ay - t * dy
        return np.sqrt(x * x + y * y)


def blend(image: Image, colour: np.ndarray, coverage: Field) -> None:
    """Paint a colour, (n, 3) or (n, 3, R, R), over the image in place."""
    change = (colour[:, :, None, None] if colour.ndim == 2 else colour) - image
    change *= coverage[:, None]
    image += change


def smooth_noise(u: Field, v: Field, waves: np.ndarray, frequency: float) -> Field:
    """Draw a smooth random field: a sum of plane waves.

    Args:
        u: horizontal coordinate.
        v: vertical coordinate.
        waves: (n, k, 3) uniform draws: direction, phase and frequency of each wave.
        frequency: cycles per unit.

    Returns:
        (n, R, R) float32, in about [-1, 1].
    """
    total = np.zeros_like(u)
    for i in range(waves.shape[1]):
        angle, phase, speed = (waves[:, i, j, None, None] for j in range(3))
        k = 2 * np.pi * frequency * (0.6 + 0.8 * speed)
        direction = 2 * np.pi * angle
        total += np.sin(k * (np.cos(direction) * u + np.sin(direction) * v) + 2 * np.pi * phase)
    return total / np.sqrt(waves.shape[1])
