"""Mutations of real archives: of their bytes, of their entries, and of what their labels say."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any
from zipfile import is_zipfile

from datasets.formats.base import is_picture
from tests.datasets import samples
from tests.datasets.test_real_sets import SETS
from tests.storage.zips import Content, zip_of

Files = dict[str, Content]

_TAGS = json.dumps([{"id": "t", "name": "lon", "type": "Regular", "imageCount": 4}])

#: Words that readers of numbers, names and documents trip over.
_WORDS = (
    *("nan", "inf", "-inf", "1e999", "-1", "0", "1e-320", "99999999999999999999", "0x10", "١"),
    *("", " ", "\t", "\x00", "\r", "\ufeff", "\u202e", "𝟘", "é", "e\u0301", "null", "true", "{}"),
    *("[" * 2000, "{" * 2000, '"', "'", "<a>" * 500, "<!DOCTYPE a [<!ENTITY b 'c'>]>&b;"),
    *("&a " * 50, "*a", "!!python/object/apply:os.system ['true']", "- - - -", "%TAG", "|", ">"),
)
_NAMES = (
    *("../out.txt", "/abs.txt", "C:\\a.txt", "a/../../b.jpg", "a" * 300, "con", ".", "..", "a//b"),
    *("images/\x00.jpg", "images/\n.jpg", "IMAGES/A.JPG", "images/á.jpg", "images/a\u0301.jpg"),
    *("data.yaml", "labels/p0.txt", "__MACOSX/._a", "a.zip", "x.json", "_annotations.coco.json"),
)


def originals() -> list[Files]:
    """Return one small set in each format that is understood, and a cut of each set of others.

    Where the shared sets are not there, a seed makes another archive than where they are.
    """
    pictures: Files = {f"images/p{n}.jpg": samples.jpeg((40 + n, 30)) for n in range(4)}
    yolo: Files = {
        **pictures,
        **{f"labels/p{n}.txt": f"{n % 2} 0.5 0.5 0.2 0.2\n1 .1 .1 .1 .1\n" for n in range(4)},
        "data.yaml": "path: .\ntrain: images\nval: images\nnc: 2\nnames: [lon, chai]\n",
    }
    images = [{"id": n, "file_name": f"p{n}.jpg", "width": 40 + n, "height": 30} for n in range(4)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 9, 8]} for n in range(4)]
    names = [{"id": 1, "name": "lon"}, {"id": 2, "name": "chai"}]
    coco = json.dumps({"images": images, "annotations": boxes, "categories": names})
    voc: Files = {f"annotations/p{n}.xml": _voc(n) for n in range(4)}
    saved: Files = {"images.json": json.dumps([_saved(n) for n in range(4)]), "tags.json": _TAGS}
    own = [yolo, {**pictures, "instances.json": coco}, {**pictures, **voc}, {**pictures, **saved}]
    return own + [cut(path) for path in sorted(SETS.glob("wild/*.zip")) if is_zipfile(path)]


def cut(path: Path, pictures: int = 3) -> Files:
    """Return the smallest pictures of an archive, their labels, and what describes the whole."""
    with zipfile.ZipFile(path) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        labels = {_stem(name): name for name in sizes if name.endswith((".txt", ".xml"))}
        shown = [name for name in sizes if is_picture(name) and _stem(name) in labels]
        kept = sorted(shown, key=lambda name: sizes[name])[:pictures]
        texts = [*(labels[_stem(name)] for name in kept), *(n for n in sizes if n.endswith("yaml"))]
        found: Files = {name: archive.read(name) for name in kept}
        return found | {name: archive.read(name).decode() for name in texts}


def mutated(seed: int, sets: list[Files]) -> bytes:
    """Return an archive that is wrong in one to four ways; the same for the same seed."""
    random = Random(seed)
    files = dict(random.choice(sets))
    for _ in range(random.randint(1, 3)):
        random.choice(_OF_FILES)(random, files)
    data = _zipped(files)
    return random.choice(_OF_BYTES)(random, data) if random.random() < 0.4 else data


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _saved(number: int) -> dict[str, Any]:
    """Return a picture as Custom Vision's API lists it, and as people save it."""
    sides = {"left": 0.1, "top": 0.2, "width": 0.3, "height": 0.4}
    return {
        "id": f"p{number}",
        "width": 40 + number,
        "height": 30,
        "originalImageUri": f"https://store.invalid/c/p{number}?sig=secret",
        "tags": [{"tagId": "t", "tagName": "lon"}],
        "regions": [{"regionId": "r", "tagId": "t", "tagName": "lon", **sides}],
    }


def _voc(number: int) -> str:
    box = "<xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax>"
    size = f"<size><width>{40 + number}</width><height>30</height><depth>3</depth></size>"
    return (
        f"<annotation><filename>p{number}.jpg</filename>{size}"
        f"<object><name>lon</name><bndbox>{box}</bndbox></object></annotation>"
    )


def _change_word(random: Random, files: Files) -> None:
    """Put an odd word in the place of another in a label file."""
    names = [name for name, content in files.items() if isinstance(content, str)]
    if not names:
        return
    name = random.choice(names)
    text = str(files[name])
    start = random.randrange(len(text) + 1)
    end = min(len(text), start + random.randint(0, 6))
    files[name] = text[:start] + random.choice(_WORDS) + text[end:]


def _change_picture(random: Random, files: Files) -> None:
    names = [name for name, content in files.items() if isinstance(content, bytes)]
    if names:
        name = random.choice(names)
        files[name] = random.choice(_OF_BYTES)(random, bytes(files[name]))  # type: ignore[arg-type]


def _rename(random: Random, files: Files) -> None:
    name = random.choice(list(files))
    files[random.choice(_NAMES)] = files.pop(name)


def _remove(random: Random, files: Files) -> None:
    if len(files) > 1:
        files.pop(random.choice(list(files)))


def _swap(random: Random, files: Files) -> None:
    """Exchange the contents of two files: a picture may become a label."""
    one, other = random.choice(list(files)), random.choice(list(files))
    files[one], files[other] = files[other], files[one]


def _add_noise(random: Random, files: Files) -> None:
    files[random.choice(_NAMES)] = random.randbytes(random.randint(0, 400))


def _flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 12)):
        if changed:
            changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(random: Random, data: bytes) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:]


def _insert(random: Random, data: bytes) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + random.randbytes(random.randint(1, 64)) + data[place:]


def _zipped(files: Files) -> bytes:
    try:
        return zip_of(files)
    except (ValueError, UnicodeEncodeError):
        # Some names cannot be written into an archive at all.
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("labels/a.txt", "0 0.5 0.5 0.2 0.2")
        return buffer.getvalue()


_OF_FILES: tuple[Callable[[Random, Files], None], ...] = (
    *(_change_word,) * 5,
    *(_change_picture, _rename, _remove, _swap, _add_noise),
)
_OF_BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (_flip, _cut, _repeat, _insert)
