"""The drawn sample: repeatable, true to what can be seen, and a proper YOLO data set."""

import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from random import Random

import pytest
import yaml
from PIL import Image

from samples.placing import Box, Standing, visible_boxes
from samples.products import CLASS_NAMES, KINDS, draw_product
from samples.shelf_scenes import (
    SIZE,
    as_jpeg,
    draw_scene,
    unseen_scenes,
    write_sample_zip,
)

IMAGES = 24


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.zip"
    write_sample_zip(path, images=IMAGES, seed=7)
    return path


def label_lines(sample: Path) -> list[list[float]]:
    with zipfile.ZipFile(sample) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if "labels/" in name]
    return [
        [float(field) for field in line.split()] for text in texts for line in text.splitlines()
    ]


def block(colour: str, width: int, height: int) -> Image.Image:
    return Image.new("RGBA", (width, height), colour)


class TestScene:
    def test_the_same_seed_gives_the_same_scene(self) -> None:
        first, second = draw_scene(Random(3)), draw_scene(Random(3))
        assert first[0].tobytes() == second[0].tobytes()
        assert first[1] == second[1]

    def test_another_seed_gives_another_scene(self) -> None:
        assert draw_scene(Random(3))[1] != draw_scene(Random(4))[1]

    @pytest.mark.parametrize("size", [(512, 384), (320, 320), (360, 640)])
    def test_every_box_lies_inside_the_picture(self, size: tuple[int, int]) -> None:
        for seed in range(8):
            picture, boxes = draw_scene(Random(seed), size)
            assert (picture.mode, picture.size) == ("RGB", size)
            assert boxes
            for box in boxes:
                assert 0 <= box.left < box.right <= size[0]
                assert 0 <= box.top < box.bottom <= size[1]

    def test_no_box_is_too_small_to_be_found(self) -> None:
        boxes = [box for seed in range(12) for box in draw_scene(Random(seed))[1]]
        areas = [(box.right - box.left) * (box.bottom - box.top) for box in boxes]
        assert min(areas) >= 100

    def test_products_overlap_and_come_near_and_far(self) -> None:
        scenes = [draw_scene(Random(seed))[1] for seed in range(12)]
        heights = [box.bottom - box.top for boxes in scenes for box in boxes]
        assert max(heights) > 2 * min(heights)
        assert any(_overlap(a, b) for boxes in scenes for a in boxes for b in boxes if a is not b)

    def test_light_varies(self) -> None:
        brightness = [draw_scene(Random(seed))[0].resize((1, 1)).convert("L").getpixel((0, 0))
                      for seed in range(12)]  # fmt: skip
        assert max(brightness) - min(brightness) > 40


def _overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom


class TestTruth:
    def test_the_box_is_around_the_visible_part(self) -> None:
        behind = Standing(0, block("red", 40, 40), 10, 10)
        before = Standing(1, block("blue", 40, 40), 30, 10)
        _, boxes = visible_boxes([behind, before], (100, 100))
        assert boxes == [Box(0, 10, 10, 30, 50), Box(1, 30, 10, 70, 50)]

    @pytest.mark.parametrize(("hidden", "stays"), [(27, True), (29, False)])
    def test_a_product_hidden_by_more_than_70_percent_is_taken_away(
        self, hidden: int, stays: bool
    ) -> None:
        behind = Standing(0, block("red", 40, 40), 10, 10)
        before = Standing(1, block("blue", 40, 40), 50 - hidden, 10)
        kept, boxes = visible_boxes([behind, before], (100, 100))
        assert (behind in kept) is stays
        assert [box.class_index for box in boxes] == ([0, 1] if stays else [1])

    def test_what_reaches_out_of_the_picture_counts_as_hidden(self) -> None:
        outside = Standing(2, block("red", 40, 40), -30, 10)
        inside = Standing(3, block("red", 40, 40), 80, 10)
        assert visible_boxes([outside, inside], (100, 100))[1] == [Box(3, 80, 10, 100, 50)]

    def test_transparent_corners_are_not_part_of_a_product(self) -> None:
        bottle = draw_product(Random(1), KINDS[0], 120, 0.5)
        corner = bottle.getpixel((0, 0))
        middle = bottle.getpixel((bottle.width // 2, bottle.height // 2))
        assert (corner[3], middle[3]) == (0, 255)


class TestSampleZip:
    def test_it_has_the_yolo_layout(self, sample: Path) -> None:
        with zipfile.ZipFile(sample) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
        stems = {
            name.removeprefix("images/").removesuffix(".jpg") for name in names if ".jpg" in name
        }
        assert len(stems) == IMAGES
        expected = {f"images/{stem}.jpg" for stem in stems} | {
            f"labels/{stem}.txt" for stem in stems
        }
        assert set(names) == expected | {"data.yaml"}

    def test_its_class_names_have_vietnamese_letters(self, sample: Path) -> None:
        with zipfile.ZipFile(sample) as archive:
            data = yaml.safe_load(archive.read("data.yaml").decode())
        assert data == {"nc": 5, "names": dict(enumerate(CLASS_NAMES))}
        assert "chai nước" in data["names"].values()

    def test_its_pictures_open_in_the_size_asked_for(self, sample: Path) -> None:
        with zipfile.ZipFile(sample) as archive:
            for name in archive.namelist():
                if name.endswith(".jpg"):
                    picture = Image.open(io.BytesIO(archive.read(name)))
                    picture.load()
                    assert picture.size == SIZE

    def test_its_labels_are_boxes_inside_the_picture(self, sample: Path) -> None:
        for index, x, y, width, height in label_lines(sample):
            assert index in range(len(CLASS_NAMES))
            assert min(width, height) > 0
            assert x - width / 2 > -1e-5 and x + width / 2 < 1 + 1e-5
            assert y - height / 2 > -1e-5 and y + height / 2 < 1 + 1e-5

    def test_every_class_has_its_fair_share(self, sample: Path) -> None:
        classes = [int(line[0]) for line in label_lines(sample)]
        for index in range(len(CLASS_NAMES)):
            assert classes.count(index) >= 0.1 * len(classes)

    def test_the_same_seed_gives_the_same_bytes(self, tmp_path: Path) -> None:
        paths = [tmp_path / "a.zip", tmp_path / "b.zip"]
        counts = [write_sample_zip(path, images=3, seed=7, size=(256, 192)) for path in paths]
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert counts[0] == counts[1]
        write_sample_zip(paths[1], images=3, seed=8, size=(256, 192))
        assert paths[0].read_bytes() != paths[1].read_bytes()

    def test_the_counts_it_returns_are_those_of_its_labels(self, tmp_path: Path) -> None:
        counts = write_sample_zip(tmp_path / "a.zip", images=3, seed=7)
        classes = [int(line[0]) for line in label_lines(tmp_path / "a.zip")]
        assert counts == {name: classes.count(i) for i, name in enumerate(CLASS_NAMES)}


class TestUnseenScenes:
    def test_none_of_them_is_in_the_sample(self, sample: Path) -> None:
        with zipfile.ZipFile(sample) as archive:
            seen = {archive.read(name) for name in archive.namelist()}
        scenes = unseen_scenes(count=6, seed=7)
        assert not any(as_jpeg(picture) in seen for picture, _ in scenes)

    def test_a_scene_does_not_depend_on_how_many_are_drawn(self) -> None:
        few, many = list(unseen_scenes(count=1, seed=7)), list(unseen_scenes(count=3, seed=7))
        assert few[0][0].tobytes() == many[0][0].tobytes()
        assert few[0][1] == many[0][1]

    def test_their_truth_is_named_by_class(self) -> None:
        ((_, boxes),) = unseen_scenes(count=1, seed=7)
        assert {box.name for box in boxes} <= set(CLASS_NAMES)
        assert [box.name for box in boxes] == [CLASS_NAMES[box.class_index] for box in boxes]


class TestCommandLine:
    def test_it_writes_the_zip_and_tells_how_long_it_took(self, tmp_path: Path) -> None:
        out = tmp_path / "sample.zip"
        command = [
            sys.executable,
            "-m",
            "samples.shelf_scenes",
            str(out),
            "--images",
            "4",
            "--seed",
            "9",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        write_sample_zip(tmp_path / "same.zip", images=4, seed=9)
        assert out.read_bytes() == (tmp_path / "same.zip").read_bytes()
        assert "4 images in " in done.stdout and "gói mì" in done.stdout

    def test_drawing_a_scene_takes_a_fraction_of_a_second(self) -> None:
        began = time.process_time()
        for seed in range(10):
            as_jpeg(draw_scene(Random(seed))[0])
        assert (time.process_time() - began) / 10 < 0.25
