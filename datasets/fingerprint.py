"""What a version holds, as one number: equal content has equal fingerprints, wherever it is."""

import hashlib
import json
from collections.abc import Iterable, Sequence

_DIGITS = 1


class Fingerprint:
    """Adds up the images of a version, in any order, in constant memory.

    An image counts by the digest of its kept bytes, its split, and its boxes with the names of
    their classes, corners to a tenth of a pixel (what six digits of a YOLO label carry for sides up
    to 20,000 pixels is finer). The digests are added modulo 2^256, so that order plays no part.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._names = class_names
        self._sum = int.from_bytes(_digest({"classes": list(class_names)}))

    def add(self, sha256: str, split: str, boxes: Iterable[Sequence[float]]) -> None:
        """Count an image; boxes are rows [class_index, x1, y1, x2, y2] in pixels."""
        rows = sorted(
            [self._names[int(index)], *(round(value, _DIGITS) for value in corners)]
            for index, *corners in boxes
        )
        self._sum += int.from_bytes(_digest({"image": sha256, "split": split, "boxes": rows}))

    def hexdigest(self) -> str:
        """Return 64 hexadecimal digits."""
        return f"{self._sum % 2**256:064x}"


def _digest(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
