"""Photos of 12 megapixels as phones take them, made of real ones, and their prepared forms."""

import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import cv2
import numpy as np
from PIL import Image

from samples.shelf_scenes import write_sample_zip
from training.pixel_pool import PixelPool
from training.pixels import SUFFIX, Form, Head, file_content, fitted

SETS = Path(__file__).resolve().parents[2] / "shared" / "data" / "datasets"
_REAL = SETS / "retail" / "vn-beer-display-yolo.zip"
_CELLS = SETS / "bccd" / "bccd-yolo.zip"
#: Width and height: 12 megapixels.
_SIZE = (4000, 3000)
_QUALITY = 90
#: What a small sensor adds to each pixel.
_NOISE = 6.0
#: As many as a host has cores here; each then decodes one picture.
_PROCESSES = len(os.sched_getaffinity(0))


def make_photos(root: Path, *, train: int, val: int) -> str:
    """Write photos with their labels below `images/` and `labels/`, in the library's layout.

    Returns:
        What they are made of.
    """
    source = root.parent / "source.zip"
    if _REAL.is_file():
        shutil.copyfile(_REAL, source)
    else:
        write_sample_zip(source, images=train + val, seed=5, size=(1024, 768))
    noise = np.random.default_rng(5).normal(0, _NOISE, (_SIZE[1], _SIZE[0], 3)).astype(np.int16)
    cv2.setNumThreads(1)

    def write(job: tuple[int, tuple[bytes, str]]) -> None:
        number, (data, rows) = job
        split = "train" if number < train else "val"
        # Each has noise of its own, and so bytes of its own.
        picture = _enlarged(data, np.roll(noise, 977 * number, axis=0))
        (root / "images" / split / f"{number:05}.jpg").write_bytes(picture)
        (root / "labels" / split / f"{number:05}.txt").write_text(rows)

    _make_folders(root)
    with ThreadPoolExecutor(_PROCESSES) as threads:
        pictures = _labelled(source, train + val)
        list(threads.map(write, enumerate(pictures)))
    return "real photos of shops" if _REAL.is_file() else "drawn shelves"


def _labelled(source: Path, count: int) -> Iterator[tuple[bytes, str]]:
    """Yield pictures with their labels out of a ZIP in the YOLO layout; again where too few."""
    with zipfile.ZipFile(source) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith((".jpg", ".png"))]
        Random(5).shuffle(names)
        for number in range(count):
            name = names[number % len(names)]
            label = name.replace("images/", "labels/", 1).rpartition(".")[0] + ".txt"
            yield archive.read(name), archive.read(label).decode()


def _enlarged(data: bytes, noise: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]") -> bytes:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    picture = cv2.resize(picture, _SIZE, interpolation=cv2.INTER_CUBIC)
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))[1].tobytes()


def unpack(archive: Path, root: Path) -> None:
    """Lay a set in Roboflow's layout out as `images/` and `labels/`, training and validation."""
    _make_folders(root)
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            split, _, rest = name.partition("/")
            kind, _, file = rest.partition("/")
            if split in {"train", "valid"} and kind in {"images", "labels"} and file:
                target = root / kind / ("train" if split == "train" else "val") / file
                target.write_bytes(source.read(name))


def make_small(root: Path, *, train: int, val: int) -> str:
    """Lay a small set of small pictures out from which a model learns quickly.

    Returns:
        What it is made of.
    """
    if not _CELLS.is_file():
        source = root.parent / "shelves.zip"
        write_sample_zip(source, images=train + val, seed=7)
        _make_folders(root)
        for number, (data, rows) in enumerate(_labelled(source, train + val)):
            split = "train" if number < train else "val"
            (root / "images" / split / f"{number:05}.jpg").write_bytes(data)
            (root / "labels" / split / f"{number:05}.txt").write_text(rows)
        return "drawn shelves"
    unpack(_CELLS, root)
    for split, count in (("train", train), ("val", val)):
        for path in sorted((root / "images" / split).iterdir())[count:]:
            path.unlink()
            (root / "labels" / split / f"{path.stem}.txt").unlink()
    return "blood cells"


def class_count(root: Path) -> int:
    """Return how many classes the labels below a folder name."""
    rows = "".join(path.read_text() for path in (root / "labels").rglob("*.txt")).splitlines()
    return 1 + max(int(row.split()[0]) for row in rows if row.strip())


def repeat(source: Path, target: Path, *, times: int, link: bool) -> None:
    """Lay each picture of a set there so many times under different names."""
    _make_folders(target)
    for path in sorted(source.rglob("*/*/*.*")):
        for number in range(times):
            other = target / path.parent.relative_to(source) / f"{number:03}-{path.name}"
            if link:
                other.hardlink_to(path)
            else:
                shutil.copyfile(path, other)


def prepare(source: Path, target: Path, *, size: int, form: Form = Form.PLAIN) -> None:
    """Write the prepared form of a set, as a worker lays it out for its trainer."""
    _make_folders(target)
    # Not what the library leaves beside them.
    ignored = shutil.ignore_patterns("*.cache")
    shutil.copytree(source / "labels", target / "labels", dirs_exist_ok=True, ignore=ignored)

    def write(path: Path) -> None:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            original = picture.height, picture.width
        pixels = pool.make(data, original=original, size=size, form=form)
        digest = hashlib.sha256(data).hexdigest()
        head = Head(form, digest, original, fitted(original, size), len(pixels))
        place = target / path.relative_to(source).with_suffix(SUFFIX)
        place.write_bytes(b"".join(file_content(head, pixels)))

    with PixelPool(_PROCESSES) as pool, ThreadPoolExecutor(2 * _PROCESSES) as threads:
        list(threads.map(write, sorted((source / "images").rglob("*.*"))))


def shrink(source: Path, target: Path, *, size: int) -> None:
    """Write pictures at training size as ordinary files: what a cache in memory would hold."""
    _make_folders(target)
    # Not what the library leaves beside them.
    ignored = shutil.ignore_patterns("*.cache")
    shutil.copytree(source / "labels", target / "labels", dirs_exist_ok=True, ignore=ignored)
    for path in (source / "images").rglob("*.*"):
        with Image.open(path) as picture:
            picture.draft("RGB", (size, size))
            picture.thumbnail((size, size))
            picture.save(target / path.relative_to(source), quality=95)


def _make_folders(root: Path) -> None:
    for kind in ("images", "labels"):
        for split in ("train", "val"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
