"""The images that pages work on, in memory: the least recently used go when there are too many bytes of them."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image

from maskgit_lab.web.answers import RefusedError


@dataclass(frozen=True)
class KeptImage:
    """An image, upright and of a mode that PNG holds."""

    image: Image.Image
    name: str  # of its file, without the suffix

    @property
    def num_bytes(self) -> int:
        """Bytes of its pixels."""
        sample = 2 if self.image.mode.startswith("I;16") else 1
        return self.image.width * self.image.height * len(self.image.getbands()) * sample


class ImageStore:
    """Images by a key that cannot be guessed.

    Args:
        max_bytes: of the pixels of all of them; the newest one stays, however large.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._images: OrderedDict[str, KeptImage] = OrderedDict()
        self._lock = threading.Lock()  # the worker thread keeps what it filled

    def keep(self, kept: KeptImage) -> str:
        """Keep an image and return its key."""
        key = secrets.token_urlsafe(12)
        with self._lock:
            self._images[key] = kept
            total = sum(other.num_bytes for other in self._images.values())
            while total > self._max_bytes and len(self._images) > 1:
                _, gone = self._images.popitem(last=False)
                total -= gone.num_bytes
        return key

    def get(self, key: object) -> KeptImage:
        """Return the image of a key; raise RefusedError when there is none, or none any more."""
        with self._lock:
            kept = self._images.get(key) if isinstance(key, str) else None
            if kept is None:
                raise RefusedError("The server no longer has this image: open it again.", status=404)
            self._images.move_to_end(str(key))
            return kept
