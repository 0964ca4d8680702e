"""What a picture looks like: copies of it are near, other pictures far, empty ones nothing."""

import zipfile
from collections.abc import Callable
from io import BytesIO
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageChops

from datasets.near_duplicates import DISTANCE
from datasets.perceptual_hash import perceptual_hash
from datasets.pictures import prepare_picture
from samples.shelf_scenes import draw_scene
from tests.datasets.samples import encoded, with_orientation

SETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "datasets"
Change = Callable[[Image.Image], bytes]


def scene(seed: int) -> Image.Image:
    return draw_scene(Random(seed), (640, 480))[0]


def hash_of(data: bytes) -> int:
    found = prepare_picture(data).perceptual_hash
    assert found is not None
    return found


def apart(one: int, other: int) -> int:
    """Return in how many of 64 bits two signed numbers differ."""
    return ((one ^ other) & (2**64 - 1)).bit_count()


CHANGES: dict[str, Change] = {
    "half": lambda image: encoded(image.resize((image.width // 2, image.height // 2))),
    "square": lambda image: encoded(image.resize((640, 640))),
    "quarter": lambda image: encoded(image.resize((image.width // 4, image.height // 4)), "PNG"),
    "quality 30": lambda image: encoded(image, quality=30),
    "webp": lambda image: encoded(image, "WEBP", quality=60),
    "brighter": lambda image: encoded(image.point(lambda value: min(255, value * 1.1 + 5))),
    "cut by 1 %": lambda image: encoded(
        image.crop((image.width // 100, 0, image.width, image.height * 99 // 100))
    ),
    "turned by EXIF": lambda image: with_orientation(
        image.transpose(Image.Transpose.ROTATE_90), 6
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_near(change: str) -> None:
    for seed in range(6):
        original = scene(seed)
        copy = CHANGES[change](original)
        assert apart(hash_of(encoded(original, quality=92)), hash_of(copy)) <= DISTANCE


def test_other_scenes_are_far() -> None:
    hashes = [perceptual_hash(scene(seed)) for seed in range(12)]
    for one, other in combinations(hashes, 2):
        assert one is not None
        assert other is not None
        assert apart(one, other) > DISTANCE


@pytest.mark.parametrize("colour", ["white", "black", (90, 90, 90)])
def test_a_picture_without_contrast_is_like_no_other(colour: str) -> None:
    noise = Image.effect_noise((200, 150), 6).convert("RGB")
    flat = ImageChops.blend(Image.new("RGB", (200, 150), colour), noise, 0.05)
    assert prepare_picture(encoded(flat)).perceptual_hash is None


def test_it_fits_into_a_signed_column_of_the_database() -> None:
    hashes = [perceptual_hash(scene(seed)) or 0 for seed in range(12)]
    assert all(-(2**63) <= number < 2**63 for number in hashes)
    assert {number < 0 for number in hashes} == {True, False}


@pytest.mark.skipif(not SETS.is_dir(), reason="the shared data sets are not here")
@pytest.mark.parametrize("name", ["bccd/bccd-yolo.zip", "retail/vn-beer-display-yolo.zip"])
def test_copies_of_real_pictures_are_near(name: str) -> None:
    with zipfile.ZipFile(SETS / name) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith((".jpg", ".jpeg")))[::40]
        pictures = {n: archive.read(n) for n in names}
    assert len(pictures) >= 4
    for data in pictures.values():
        original = Image.open(BytesIO(data)).convert("RGB")
        for change in ("half", "square", "quality 30"):
            assert apart(hash_of(data), hash_of(CHANGES[change](original))) <= DISTANCE
