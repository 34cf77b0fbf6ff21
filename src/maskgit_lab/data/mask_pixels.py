"""Which pixels of an opened mask are the hole, however the mask was saved.

Editors and segmenters save masks as black and white, as 0 and 1, in a colour, or in the transparency. Each way is recognised by a
condition that only such masks meet. A file that meets none is refused: a wrong mask would be worse. Where `mask_hole` names the
transparency or a colour there is nothing to recognise: that is the hole.
"""

import numpy as np
from PIL import Image

from maskgit_lab.data.hole_marks import ALPHA, is_colour, rgb_of
from maskgit_lab.data.image_opening import BadImageError, upright
from maskgit_lab.data.image_pixels import has_transparency, is_wide_grey, rgb_pixels, wide_grey

LOSSY = ("JPEG", "WEBP", "AVIF", "JPEG2000")  # two values become many
BETWEEN = 1 / 8  # of the way from black to white: nearer to an end counts as that end
MOST_GREY = 0.25  # a mask with more pixels in the middle half is no mask; soft brushes stay below
MOST_FLAT_GREY = 0.005  # an area of one grey is a label or paint of half strength; the edges of a drawn hole are never flat
FEW_VALUES = 8  # as labels have
COLOURED = 40  # difference of channels, in grey levels, that JPEG does not make of grey
SAME_PAINT = 64  # grey levels
SAME_COLOUR = 32  # grey levels per channel between a pixel and the colour that `mask_hole` names: JPEG, soft edges
MOSTLY = 0.9
MINORITY = 0.45  # share of pixels up to which one side of a transparency is the smaller one beyond doubt

NAME_IT = "which colour is the hole? Name it, mask_hole=#rrggbb, or save it in black and white"
BY_PAINT = "their transparency, what is painted is the hole"
BY_ERASED = "their transparency, what is erased is the hole"
BY_COLOUR = "their colour, what is not black counts as white"


def hole_pixels(image: Image.Image, *, hole: str) -> tuple[np.ndarray, str | None]:
    """Decode a mask.

    Args:
        image: opened, as stored.
        hole: what marks the hole: black, white (a transparency is then told apart by itself), alpha, or a colour like #ff0000.

    Returns:
        (H, W) bool, True = hole, upright; and, where a rule other than black and white applied, by what the mask was read.

    Raises:
        BadImageError: when no rule says which pixels are the hole.
    """
    if hole == ALPHA:
        return transparent_pixels(image), None
    if is_colour(hole):
        colours = np.asarray(rgb_pixels(image)).astype(np.int16)
        return np.asarray((np.abs(colours - np.array(rgb_of(hole), np.int16)) <= SAME_COLOUR).all(-1)), None
    lossy = image.format in LOSSY
    if is_wide_grey(image):
        values, white = wide_grey(image)
        bright = Image.fromarray(_bright(values, white, lossy=False))
        return _marked(np.asarray(upright(bright, stored=image)), hole), None
    image = upright(image)
    if image.mode in ("I", "F"):
        return _marked(_one_of_two(np.asarray(image)), hole), None
    if has_transparency(image):
        layer = image.convert("RGBA")
        alpha = np.asarray(layer.getchannel("A"))
        image = layer.convert("RGB")
        if alpha.min() < 255:
            return _by_transparency(np.asarray(image), alpha, hole)
    if image.mode in ("1", "L"):
        return _marked(_bright(np.asarray(image.convert("L")), 255, lossy=lossy), hole), None
    if image.mode == "LAB":
        raise BadImageError("CIELAB colours; save the mask in black and white")
    image = image.convert("RGB")
    colours = np.asarray(image)
    chroma = colours.max(-1) - colours.min(-1)
    if (chroma > COLOURED).mean() > 0.001:  # single pixels are noise
        return _marked(_painted(image, colours), hole), BY_COLOUR
    return _marked(_bright(np.asarray(image.convert("L")), 255, lossy=lossy), hole), None


def transparent_pixels(image: Image.Image) -> np.ndarray:
    """Return where an opened image is transparent by more than half, (H, W) bool, upright.

    Raise BadImageError when it has no transparency.
    """
    if not has_transparency(image):
        raise BadImageError("no transparency, but mask_hole=alpha: save it with transparent pixels where the hole is")
    if is_wide_grey(image):  # PNG may declare one grey value transparent
        values, _ = wide_grey(image)
        clear = Image.fromarray(values == image.info["transparency"])
        return np.asarray(upright(clear, stored=image))
    return np.asarray(upright(image.convert("RGBA").getchannel("A"), stored=image)) < 128


def _marked(white: np.ndarray, hole: str) -> np.ndarray:
    return white if hole == "white" else ~white


def _bright(values: np.ndarray, full: int, *, lossy: bool) -> np.ndarray:
    """Return which grey values (H, W) of 0 to `full` are white."""
    counts = _counts(values, full)
    found = np.nonzero(counts)[0]
    low, high = int(found[0]), int(found[-1])
    if len(found) == 1 and low not in (0, full):
        raise BadImageError(f"every pixel has the value {low}, neither black nor white")
    if len(found) == 1:
        return np.full(values.shape, low == full)
    if len(found) == 2 and not (lossy and high < full / 2):
        if low > full * BETWEEN:
            raise BadImageError(f"only the values {low} and {high}: which is the hole? Save it in black and white")
        return values == high
    if high < full * 0.75 or low > full * 0.25:
        raise BadImageError(f"values from {low} to {high}, not black and white")
    middle = counts[full // 4 : full - full // 4].sum() / values.size
    if middle > MOST_GREY:
        raise BadImageError(f"{middle:.0%} of its pixels are grey, neither black nor white")
    few = not lossy and len(found) <= FEW_VALUES
    margin = 0.0 if few and len(found) <= 4 else full / 32 if few else full * BETWEEN
    flat = _flat_share(values, (values > low + margin) & (values < high - margin))
    if flat > MOST_FLAT_GREY:
        raise BadImageError(
            f"areas of {flat:.1%} of its pixels are of one grey: labels, or paint of half strength? Save it in black and white"
        )
    return np.asarray(values >= (full + 1) // 2)


def _counts(values: np.ndarray, full: int) -> np.ndarray:
    """Return how often each value occurs, row by row: NumPy counts in copies eight times as large."""
    rows = max(1, 2**20 // values.shape[1])
    parts = (values[start : start + rows] for start in range(0, len(values), rows))
    return np.asarray(sum(np.bincount(part.ravel(), minlength=full + 1) for part in parts))


def _flat_share(values: np.ndarray, chosen: np.ndarray) -> float:
    """Return the share of pixels that are chosen and equal their four neighbours."""
    if not chosen.any():
        return 0.0
    inner = values[1:-1, 1:-1]
    same = chosen[1:-1, 1:-1].copy()
    for neighbour in (values[:-2, 1:-1], values[2:, 1:-1], values[1:-1, :-2], values[1:-1, 2:]):
        same &= inner == neighbour
    return float(same.sum() / values.size)


def _one_of_two(values: np.ndarray) -> np.ndarray:
    """Return where values of unknown range, 0 and one other, are not 0."""
    low, high = values.min(), values.max()
    if not np.isfinite(values).all() or low != 0 or ((values != low) & (values != high)).any():
        raise BadImageError("32-bit numbers other than 0 and one value; save the mask with 8 bits")
    return np.asarray(values != 0)


def _painted(image: Image.Image, colours: np.ndarray) -> np.ndarray:
    """Return where a mask of black and one colour has the colour."""
    listed = image.getcolors(2)
    if listed is not None and len(listed) == 2 and (0, 0, 0) in (colour for _, colour in listed):
        return np.asarray(colours.any(-1))
    bright = colours.max(-1)
    paint = bright > 64
    if paint.all():
        raise BadImageError(f"coloured, with no black: {NAME_IT}")
    # edges fade to black: the colour is compared at full brightness
    strong = colours[paint].astype(np.float32) * (255 / bright[paint][:, None])
    if (np.abs(strong - np.median(strong, axis=0)).max(-1) <= SAME_PAINT).mean() < MOSTLY:
        raise BadImageError(f"several colours: {NAME_IT}")
    return bright >= np.median(bright[paint]) / 2


def _by_transparency(colours: np.ndarray, alpha: np.ndarray, hole: str) -> tuple[np.ndarray, str]:
    if not alpha.any():
        raise BadImageError("wholly transparent")
    try:
        opaque = _bright(alpha, 255, lossy=False)
    except BadImageError as error:
        raise BadImageError(f"its transparency: {error}") from error
    kept = colours[opaque]
    paint = np.median(kept, axis=0)
    one_paint = (np.abs(kept - paint).max(-1) <= SAME_PAINT).mean() >= MOSTLY
    if not one_paint:
        ends = ((kept <= SAME_PAINT).all(-1) | (kept >= 255 - SAME_PAINT).all(-1)).mean()
        if ends >= MOSTLY:
            raise BadImageError("black, white and transparent: which one is the hole? Save it without transparency")
        return ~opaque, BY_ERASED  # a photo with a part cut out
    share = float(opaque.mean())
    if MINORITY < share < 1 - MINORITY:
        raise BadImageError(f"{share:.0%} painted, the rest transparent: which one is the hole? Save it in black and white")
    painted = share <= MINORITY  # paint on an empty layer, or a full layer with a part erased
    if hole == "black" and painted == bool(paint.mean() >= 128):
        kind = "painted white" if painted else "erased from black"
        raise BadImageError(f"{kind} on transparency, but mask_hole=black; save it in black and white")
    return (opaque, BY_PAINT) if painted else (~opaque, BY_ERASED)
