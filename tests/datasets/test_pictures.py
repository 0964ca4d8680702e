"""Pictures from outside: what is kept as it is, what is changed, what is refused."""

import io
import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets import picture_pool
from datasets.boxes import Box, turned
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture, prepare_picture
from tests.datasets import samples


def pixels(prepared: PreparedPicture) -> Image.Image:
    return Image.open(io.BytesIO(prepared.content))


def refusal(data: bytes) -> str:
    with pytest.raises(PictureRefused) as caught:
        prepare_picture(data)
    return caught.value.code


class TestKept:
    """What is in order loses nothing but its metadata."""

    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_an_upright_jpeg_keeps_every_pixel(self, mode: str, progressive: bool) -> None:
        data = samples.encoded(samples.picture(mode=mode), quality=80, progressive=progressive)
        prepared = prepare_picture(data)
        assert pixels(prepared).tobytes() == Image.open(io.BytesIO(data)).tobytes()
        assert (prepared.suffix, prepared.content_type) == (".jpg", "image/jpeg")
        assert (prepared.width, prepared.height, prepared.orientation) == (*samples.SIZE, 1)
        assert prepared.notes == ()

    @pytest.mark.parametrize("mode", ["RGB", "L"])
    def test_a_png_keeps_every_pixel(self, mode: str) -> None:
        data = samples.encoded(samples.picture(mode=mode), "PNG")
        prepared = prepare_picture(data)
        assert pixels(prepared).tobytes() == Image.open(io.BytesIO(data)).tobytes()
        assert (prepared.suffix, prepared.content_type) == (".png", "image/png")

    def test_restart_marks_and_fill_bytes_do_no_harm(self) -> None:
        data = samples.jpeg(restart_marker_blocks=2)
        assert b"\xff\xd0" in data
        filled = data.replace(b"\xff\xda", b"\xff\xff\xff\xda", 1)
        assert pixels(prepare_picture(filled)).tobytes() == pixels(prepare_picture(data)).tobytes()

    def test_a_thumbnail_has_a_longer_side_of_320(self) -> None:
        prepared = prepare_picture(samples.jpeg((1600, 1200)))
        with Image.open(io.BytesIO(prepared.thumbnail)) as thumbnail:
            assert (thumbnail.format, thumbnail.size) == ("JPEG", (320, 240))
            assert samples.mark_of(thumbnail) == pytest.approx(samples.MARK, abs=0.02)

    def test_a_small_picture_is_not_enlarged(self) -> None:
        prepared = prepare_picture(samples.jpeg((40, 30)))
        assert Image.open(io.BytesIO(prepared.thumbnail)).size == (40, 30)

    def test_the_first_picture_of_several_views_is_the_picture(self) -> None:
        data = samples.encoded(
            samples.picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (50, 50))]
        )
        prepared = prepare_picture(data)
        assert (prepared.width, prepared.height) == samples.SIZE
        assert Image.open(io.BytesIO(prepared.content)).format == "JPEG"


class TestUpright:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_picture_and_boxes_are_turned_together(self, orientation: int, kind: str) -> None:
        stored = samples.turned_away(samples.picture(), orientation)
        drawn = Box(0, *samples.mark_of(stored))
        prepared = prepare_picture(samples.with_orientation(stored, orientation, kind))
        assert (prepared.width, prepared.height) == samples.SIZE
        assert prepared.orientation == orientation
        assert turned(drawn, prepared.orientation)[1:] == pytest.approx(samples.MARK, abs=0.001)
        assert samples.mark_of(pixels(prepared)) == pytest.approx(samples.MARK, abs=0.02)
        assert ("picture_turned" in prepared.notes) == (orientation != 1)

    def test_the_thumbnail_is_upright_too(self) -> None:
        stored = samples.turned_away(samples.picture((1200, 800)), 6)
        prepared = prepare_picture(samples.with_orientation(stored, 6))
        thumbnail = Image.open(io.BytesIO(prepared.thumbnail))
        assert thumbnail.size == (320, 213)
        assert samples.mark_of(thumbnail) == pytest.approx(samples.MARK, abs=0.02)

    @pytest.mark.parametrize("value", [0, 9, 4711])
    def test_nonsense_in_the_metadata_turns_nothing(self, value: int) -> None:
        prepared = prepare_picture(samples.with_orientation(samples.picture(), value))
        assert (prepared.orientation, prepared.width) == (1, samples.SIZE[0])

    def test_damaged_metadata_does_not_cost_the_picture(self) -> None:
        data = samples.with_orientation(samples.picture(), 6).replace(b"Exif\0\0MM", b"Exif\0\0XX")
        assert prepare_picture(data).orientation == 1


class TestConverted:
    """What a trainer or a browser would show differently becomes ordinary."""

    def test_cmyk(self) -> None:
        prepared = prepare_picture(samples.encoded(samples.picture(mode="CMYK"), quality=95))
        assert pixels(prepared).mode == "RGB"
        assert samples.mark_of(pixels(prepared)) == pytest.approx(samples.MARK, abs=0.05)
        assert prepared.notes == ("picture_converted",)

    def test_sixteen_bits_are_scaled_and_not_cut(self) -> None:
        levels = Image.linear_gradient("L").convert("I").point(lambda value: value * 257)
        data = samples.encoded(levels.convert("I;16"), "PNG")
        found = pixels(prepare_picture(data))
        assert found.mode == "L"
        assert found.getpixel((0, 0)) == 0
        assert found.getpixel((0, 128)) == pytest.approx(128, abs=1)
        assert found.getpixel((0, 255)) == 255

    @pytest.mark.parametrize("mode", ["P", "1"])
    def test_palettes_and_bits(self, mode: str) -> None:
        prepared = prepare_picture(samples.encoded(samples.picture(mode=mode), "PNG"))
        assert pixels(prepared).mode in {"RGB", "L"}

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_what_is_transparent_becomes_white(self, kind: str) -> None:
        image = samples.picture(mode="RGBA")
        image.paste((0, 0, 0, 0), (0, 60, 120, 80))
        found = pixels(prepare_picture(samples.encoded(image, kind, lossless=True)))
        assert found.mode == "RGB"
        assert found.getpixel((60, 70)) == (255, 255, 255)
        assert found.getpixel((60, 50)) == (90, 90, 90)

    @pytest.mark.parametrize("transparent", [(90, 90, 90), 90])
    def test_a_transparent_colour_becomes_white(self, transparent: object) -> None:
        mode = "L" if isinstance(transparent, int) else "RGB"
        image = Image.new(mode, (20, 20), transparent)  # type: ignore[arg-type]
        data = samples.encoded(image, "PNG", transparency=transparent)
        assert pixels(prepare_picture(data)).getpixel((5, 5)) == (255, 255, 255)

    @pytest.mark.parametrize(
        ("kind", "options", "suffix"),
        [("BMP", {}, ".png"), ("WEBP", {"lossless": True}, ".png"), ("WEBP", {}, ".jpg")],
    )
    def test_other_formats_become_png_or_jpeg(
        self, kind: str, options: dict[str, bool], suffix: str
    ) -> None:
        prepared = prepare_picture(samples.encoded(samples.picture(), kind, **options))
        assert prepared.suffix == suffix
        assert pixels(prepared).format == {".png": "PNG", ".jpg": "JPEG"}[suffix]
        assert samples.mark_of(pixels(prepared)) == pytest.approx(samples.MARK, abs=0.03)


class TestNothingHides:
    """Only the coded pixels of a stranger's file are kept."""

    SECRETS = b"<script>alert(1)</script>"

    def hidden_in_jpeg(self) -> dict[str, bytes]:
        data = samples.with_orientation(samples.picture(), 1)
        part = len(self.SECRETS).__add__(2).to_bytes(2, "big") + self.SECRETS
        head, tail = data[:2], data[2:]
        scan = tail.index(b"\xff\xda")
        return {
            "comment": head + b"\xff\xfe" + part + tail,
            "profile": head + b"\xff\xe2" + part + tail,
            "jfif": head + b"\xff\xe0" + part + tail,
            "unknown": head + b"\xff\xef" + part + tail,
            "before the scan": head + tail[:scan] + b"\xff\xfe" + part + tail[scan:],
            "after the end": data + self.SECRETS,
            "archive": data + b"PK\3\4" + self.SECRETS + b"PK\5\6",
        }

    @pytest.mark.parametrize("place", ["comment", "profile", "jfif", "unknown", "before the scan",
                                       "after the end", "archive"])  # fmt: skip
    def test_in_a_jpeg(self, place: str) -> None:
        prepared = prepare_picture(self.hidden_in_jpeg()[place])
        assert self.SECRETS not in prepared.content
        assert self.SECRETS not in prepared.thumbnail
        assert b"PK" not in prepared.content

    def test_in_a_png(self) -> None:
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text("Comment", self.SECRETS.decode())
        data = samples.encoded(samples.picture(), "PNG", pnginfo=info) + self.SECRETS
        assert self.SECRETS in data
        assert self.SECRETS not in prepare_picture(data).content

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_no_metadata_is_left(self, orientation: int) -> None:
        data = samples.with_orientation(samples.picture(), orientation)
        prepared = prepare_picture(data)
        for file in (prepared.content, prepared.thumbnail):
            assert not Image.open(io.BytesIO(file)).getexif()
            assert b"Exif" not in file and b"http" not in file

    def test_the_kept_parts_of_a_jpeg_are_a_closed_list(self) -> None:
        content = prepare_picture(samples.with_orientation(samples.picture(), 1)).content
        markers = set(re.findall(rb"\xff([\xc0-\xcf\xda-\xef\xfe])", content[:700]))
        assert markers <= {b"\xe0", b"\xdb", b"\xc0", b"\xc4", b"\xda"}


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "picture_unreadable"),
            (b"this is text", "picture_unreadable"),
            (b"0 0.5 0.5 0.1 0.1\n", "picture_unreadable"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture_format"),
            (b"\xff\xd8\xff\xe0" + os.urandom(500), "picture_unreadable"),
            (samples.encoded(samples.picture(), "GIF"), "picture_format"),
            (samples.encoded(samples.picture(), "TIFF"), "picture_format"),
            (samples.encoded(samples.picture(), "AVIF"), "picture_format"),
            (samples.encoded(samples.picture(), "JPEG2000"), "picture_format"),
            (samples.encoded(samples.picture(), "PPM"), "picture_unreadable"),
            (samples.encoded(samples.picture(), "EPS"), "picture_unreadable"),
            (samples.jpeg((9, 100)), "picture_too_small"),
            (samples.png_claiming(50_000, 50_000), "picture_too_large"),
            (samples.png_claiming(10_001, 10_000), "picture_too_large"),
            (samples.png_claiming(20_001, 10), "picture_too_large"),
            (samples.png_claiming(0, 0), "picture_unreadable"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_with_a_reason(self, data: bytes, code: str) -> None:
        assert refusal(data) == code

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_animations(self, kind: str) -> None:
        frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green")]
        data = samples.encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert refusal(data) == "picture_animated"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
    @pytest.mark.parametrize("kept", [0.5, 0.98])
    def test_a_picture_without_its_end(self, kind: str, kept: float) -> None:
        noise = Image.frombytes("RGB", (200, 200), os.urandom(120_000))
        data = samples.encoded(noise, kind)
        code = refusal(data[: int(len(data) * kept)])
        assert code in {"picture_truncated", "picture_unreadable"}

    def test_a_jpeg_of_endless_scans(self) -> None:
        data = samples.jpeg(progressive=True)
        at = data.rindex(b"\xff\xda")
        bomb = data[:at] + data[at:-2] * 5000 + data[-2:]
        start = time.process_time()
        with suppress(PictureRefused):
            prepare_picture(bomb)
        assert time.process_time() - start < 5

    @pytest.mark.parametrize("claimed", [(50_000, 50_000), (20_000, 20_000), (65_000, 65_000)])
    def test_bombs_are_refused_by_their_header(self, claimed: tuple[int, int]) -> None:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        assert refusal(samples.png_claiming(*claimed)) == "picture_too_large"
        assert time.process_time() - start < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "MPO"]))
def test_a_broken_picture_is_refused_or_gives_a_sound_one(data: st.DataObject, kind: str) -> None:
    broken = bytearray(samples.encoded(samples.picture((40, 30)), kind))
    for _ in range(data.draw(st.integers(1, 10))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        prepared = prepare_picture(bytes(broken))
    except PictureRefused:
        return
    with Image.open(io.BytesIO(prepared.content)) as image:
        image.load()
        assert image.size == (prepared.width, prepared.height)


class TestPool:
    def test_results_come_in_the_order_of_the_pictures(self) -> None:
        sizes = [(1000, 900), (20, 20), (500, 400), (30, 20), (800, 10)]
        with PicturePool(processes=2) as pool:
            found = list(pool.prepare((i, samples.jpeg(size)) for i, size in enumerate(sizes)))
        assert [key for key, _ in found] == [0, 1, 2, 3, 4]
        assert [(p.width, p.height) for _, p in found if isinstance(p, PreparedPicture)] == sizes

    def test_what_is_no_picture_is_handed_through_in_its_turn(self) -> None:
        taken: list[int] = []

        def mixed() -> Iterator[tuple[int, bytes | str]]:
            for number in range(400):
                taken.append(number)
                yield number, samples.jpeg() if number in {1, 2, 3, 250} else f"known {number}"

        with PicturePool(processes=2) as pool:
            found = []
            for key, result in pool.prepare(mixed()):
                found.append((key, result))
                assert taken[-1] - key <= 70, "too much waits"
        assert [key for key, _ in found] == list(range(400))
        prepared = [key for key, result in found if isinstance(result, PreparedPicture)]
        assert prepared == [1, 2, 3, 250]
        assert found[300][1] == "known 300"

    def test_a_refused_picture_costs_only_itself(self) -> None:
        good, bad = samples.jpeg(), b"text"
        with PicturePool(processes=1) as pool:
            found = [result for _, result in pool.prepare(enumerate([good, bad, good]))]
        assert isinstance(found[0], PreparedPicture) and isinstance(found[2], PreparedPicture)
        assert isinstance(found[1], PictureRefused) and found[1].code == "picture_unreadable"

    def test_the_result_is_the_one_of_this_process(self) -> None:
        stored = samples.turned_away(samples.picture(), 8)
        files = [samples.with_orientation(stored, 8, kind) for kind in ("JPEG", "PNG", "WEBP")]
        files += [samples.jpeg((1600, 1200)), samples.jpeg((1600, 1200)) + b"hidden" * 5000]
        files += [samples.with_orientation(samples.picture((900, 700)), 1, "PNG")]
        files += [samples.encoded(kind=kind) for kind in ("BMP", "MPO", "GIF")]
        with PicturePool(processes=1) as pool:
            found = [result for _, result in pool.prepare(enumerate(files))]
        assert found[:-1] == [prepare_picture(data) for data in files[:-1]]
        assert isinstance(found[-1], PictureRefused) and found[-1].code == "picture_format"

    def test_a_crash_costs_only_the_picture_that_caused_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command = (sys.executable, "-m", "tests.datasets.crashing_worker")
        monkeypatch.setattr(picture_pool, "COMMAND", command)
        pictures = [samples.jpeg(), b"crash", samples.jpeg(), b"crash", samples.jpeg()]
        with PicturePool(processes=2) as pool:
            found = [result for _, result in pool.prepare(enumerate(pictures))]
        codes = [result.code if isinstance(result, PictureRefused) else "" for result in found]
        assert codes == ["", "picture_crashed", "", "picture_crashed", ""]

    def test_pictures_survive_a_worker_that_is_killed(self) -> None:
        killed: list[int] = []

        def pictures() -> Iterator[tuple[int, bytes]]:
            for i in range(6):
                if i == 3:
                    killed.extend(_kill_workers())
                yield i, samples.jpeg()

        with PicturePool(processes=2) as pool:
            found = list(pool.prepare(pictures()))
        assert len(killed) == 2
        assert [key for key, result in found if isinstance(result, PreparedPicture)] == [
            0, 1, 2, 3, 4, 5,
        ]  # fmt: skip

    def test_leaving_early_leaves_no_answer_behind(self) -> None:
        with PicturePool(processes=2) as pool:
            first = pool.prepare((i, samples.jpeg((500, 400))) for i in range(9))
            assert next(first)[0] == 0
            first.close()  # type: ignore[attr-defined]
            [(key, result)] = pool.prepare([("later", samples.jpeg((40, 30)))])
        assert key == "later"
        assert isinstance(result, PreparedPicture) and result.width == 40

    def test_a_picture_that_takes_too_long_is_given_up(self) -> None:
        with PicturePool(processes=1, seconds=0.0) as pool:
            [(_, result)] = pool.prepare([(0, samples.jpeg())])
        assert isinstance(result, PictureRefused) and result.code == "picture_crashed"

    def test_no_process_outlives_the_block(self) -> None:
        with PicturePool(processes=2) as pool:
            list(pool.prepare(enumerate([samples.jpeg()] * 3)))
            assert len(_workers()) == 2
        assert _workers() == []

    def test_workers_know_no_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgres://secret@host/db")
        with PicturePool(processes=1) as pool:
            list(pool.prepare([(0, samples.jpeg())]))
            [pid] = _workers()
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"SECRET" not in environment and b"DATABASE" not in environment

    @pytest.mark.slow
    def test_the_largest_picture_fits_into_the_memory_of_a_worker(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        data = samples.encoded(Image.new("RGB", (10_000, 10_000), "grey"), exif=exif)
        with PicturePool(processes=1) as pool:
            [(_, result)] = pool.prepare([(0, data)])
        assert isinstance(result, PreparedPicture)


def _workers() -> list[int]:
    import psutil

    return [
        child.pid
        for child in psutil.Process().children()
        if "datasets.picture_worker" in child.cmdline()
    ]


def _kill_workers() -> list[int]:
    found = _workers()
    for pid in found:
        os.kill(pid, 9)
    return found
