"""A version laid out for the trainer: prepared once a host, and what was imported or nothing."""

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from accounts.models import User
from datasets.materialize import label_text
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, Picture, images_storage
from jobs.errors import CancelRequested, Interrupted, UserError
from projects.models import Project
from tests.datasets.importing import import_zip
from tests.storage.zips import zip_of
from tests.training.prepared import photo
from training import data_layout, storing
from training.data_layout import Layout, lay_out
from training.picture_cache import PictureCache
from training.pixels import SUFFIX, Form, Head

pytestmark = pytest.mark.django_db(transaction=True)

SIZES = ((400, 300), (64, 48), (128, 128), (300, 400))
COUNT, SIZE = 12, 128


@pytest.fixture
def version(project: Project, owner: User, monkeypatch: pytest.MonkeyPatch) -> DatasetVersion:
    """Twelve pictures, larger, smaller and just as large as they are trained with."""
    monkeypatch.setattr("jobs.queue.submit", lambda job, **_: None)
    return brought(project, owner, range(COUNT))


def brought(project: Project, owner: User, numbers: Any) -> DatasetVersion:
    files: dict[str, Any] = {"data.yaml": "names: [hộp, lon]\n"}
    for number in numbers:
        files[f"images/{number}.jpg"] = photo(SIZES[number % len(SIZES)], seed=number)
        files[f"labels/{number}.txt"] = f"{number % 2} 0.5 0.4 0.2 0.3\n"
    options = {"split_ratio": 0.25, "test_ratio": 0.2, "dataset_name": f"{numbers}"}
    job = import_zip(project, owner, zip_of(files), **options)
    assert job.status == "succeeded", job.error
    return job.version


@pytest.fixture
def cache(tmp_path: Path) -> PictureCache:
    return PictureCache(tmp_path / "cache", 10**8)


@pytest.fixture
def lay(cache: PictureCache, tmp_path: Path) -> Callable[..., Layout]:
    def lay_it(version: DatasetVersion, name: str = "data", **changes: Any) -> Layout:
        options = {"size": SIZE, "check": lambda: None, **changes}
        return lay_out(version, tmp_path / name, options.pop("cache", cache), **options)

    return lay_it


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{SUFFIX}"))


def trained_on(version: DatasetVersion) -> list[DatasetImage]:
    return list(version.images.exclude(split="test").select_related("picture"))


def test_pictures_are_as_the_library_would_shrink_them_and_labels_are_ours(
    version: DatasetVersion, lay: Callable[..., Layout], tmp_path: Path
) -> None:
    layout = lay(version)
    images = trained_on(version)
    assert (layout.names, layout.made, layout.found) == (["hộp", "lon"], len(images), 0)
    assert len(images) == version.train_images + version.val_images < COUNT
    for image in images:
        name = f"{image.split}/{image.position:07d}"
        data = (tmp_path / "data/images" / f"{name}{SUFFIX}").read_bytes()
        head, original = Head.from_bytes(data), (image.picture.height, image.picture.width)
        assert (head.form, head.original) == (Form.PLAIN, original)
        assert head.source == image.picture.stored_sha256
        assert data[128:] == shrunk(image.picture, head.shape)
        text = (tmp_path / "data/labels" / f"{name}.txt").read_text()
        assert text == label_text(image.boxes, image.picture.width, image.picture.height)
    assert len(pictures(tmp_path / "data")) == len(images)
    assert len(list((tmp_path / "data/labels").rglob("*.*"))) == len(images)


def shrunk(picture: Picture, shape: tuple[int, int]) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(picture.file.read(), np.uint8), cv2.IMREAD_COLOR)
    if max(pixels.shape) > SIZE:
        pixels = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return pixels.tobytes()


def test_what_another_run_or_version_made_is_found(
    version: DatasetVersion, lay: Callable[..., Layout], project: Project, owner: User
) -> None:
    made = lay(version).made
    again = lay(version, "again")
    assert (again.made, again.found) == (0, made)
    known = {image.picture_id for image in trained_on(version)}
    other = brought(project, owner, range(COUNT + 4))
    wanted = {image.picture_id for image in trained_on(other)}
    assert known & wanted
    assert lay(other, "other").made == len(wanted - known)


def test_another_size_is_made_but_of_what_is_small_already(
    version: DatasetVersion, lay: Callable[..., Layout]
) -> None:
    lay(version)
    larger = lay(version, "larger", size=160)
    small = [i for i in trained_on(version) if max(i.picture.width, i.picture.height) <= SIZE]
    assert small
    assert larger.found == len(small)


def test_twice_into_one_folder_gives_the_same(
    version: DatasetVersion, lay: Callable[..., Layout], tmp_path: Path
) -> None:
    lay(version)
    first = {path: path.read_bytes() for path in tmp_path.rglob("data/**/*.*")}
    lay(version)
    assert {path: path.read_bytes() for path in tmp_path.rglob("data/**/*.*")} == first


@pytest.mark.parametrize("change", ["boxes", "split", "picture", "class"])
def test_data_that_is_not_what_was_imported_is_refused(
    version: DatasetVersion, lay: Callable[..., Layout], change: str
) -> None:
    lay(version)
    images = version.images.filter(split="test" if change == "boxes" else "train")
    image = images.first()
    if change == "boxes":
        image.boxes[0][1] += 1
        image.save()
    elif change == "split":
        images.filter(pk=image.pk).update(split="val")
    elif change == "picture":
        image.delete()
    else:
        DatasetClass.objects.filter(version=version, index=0).update(name="thùng")

    with pytest.raises(UserError) as refused:
        lay(version, "again")
    assert refused.value.code == "version_changed"


def test_a_stored_picture_that_was_damaged_is_named(
    version: DatasetVersion, lay: Callable[..., Layout]
) -> None:
    picture = trained_on(version)[0].picture
    path = Path(picture.file.path)
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)

    with pytest.raises(UserError) as refused:
        lay(version)
    assert refused.value.code == "stored_file_damaged"


def test_a_stored_picture_that_is_gone_is_named_and_an_import_of_the_data_brings_it_back(
    version: DatasetVersion, lay: Callable[..., Layout], project: Project, owner: User
) -> None:
    image = trained_on(version)[0]
    Path(image.picture.file.path).unlink()

    began = time.monotonic()
    with pytest.raises(UserError) as refused:
        lay(version)
    assert time.monotonic() - began < 10, "it is not waited for"
    assert refused.value.code == "picture_missing"
    assert refused.value.params == {"picture": image.file_name}
    assert image.file_name in refused.value.message

    brought(project, owner, [*range(COUNT)])
    lay(version)


@pytest.mark.parametrize("is_mounted_on", [True, False])
def test_a_disk_of_pictures_that_is_not_mounted_is_waited_for(
    version: DatasetVersion,
    lay: Callable[..., Layout],
    monkeypatch: pytest.MonkeyPatch,
    is_mounted_on: bool,
) -> None:
    root = Path(images_storage().location)
    elsewhere = root.with_name("not-mounted")
    root.rename(elsewhere)
    if is_mounted_on:
        root.mkdir()
    pauses: list[float] = []

    def mount(seconds: float, check: Callable[[], None]) -> None:
        pauses.append(seconds)
        with suppress(FileNotFoundError):  # another thread was quicker
            elsewhere.rename(root)

    monkeypatch.setattr(storing, "_pause", mount)
    try:
        assert lay(version).made == len(trained_on(version))
    finally:
        if elsewhere.exists():
            elsewhere.rename(root)
    assert pauses


def test_a_picture_of_which_no_pixels_can_be_made_is_named(
    version: DatasetVersion, lay: Callable[..., Layout]
) -> None:
    image = trained_on(version)[0]
    Picture.objects.filter(pk=image.picture_id).update(width=1000)
    with pytest.raises(UserError) as refused:
        lay(version)
    assert refused.value.code == "data_error"
    assert refused.value.params == {"detail": image.file_name}


def test_a_storage_that_is_away_for_a_moment_is_waited_for(
    version: DatasetVersion, lay: Callable[..., Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = data_layout.stored_chunks, [3]

    def sometimes(storage: Any, name: str) -> Any:
        if lost:
            lost.pop()
            raise ConnectionError("away")
        return real(storage, name)

    monkeypatch.setattr(data_layout, "stored_chunks", sometimes)
    monkeypatch.setattr(storing, "_pause", lambda _, check: check())
    assert lay(version).made == len(trained_on(version))
    assert not lost


def test_one_that_stays_away_ends_it(
    version: DatasetVersion, lay: Callable[..., Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(storage: Any, name: str) -> Any:
        raise ConnectionError("away")

    monkeypatch.setattr(data_layout, "stored_chunks", never)
    monkeypatch.setattr(storing, "_pause", lambda _, check: check())
    monkeypatch.setattr(storing, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(Interrupted):
        lay(version)


def test_it_tells_how_far_it_is_and_may_be_ended(
    version: DatasetVersion, lay: Callable[..., Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    lay(version, on_progress=told.append)
    assert told[-1] == len(trained_on(version))
    assert told == sorted(told)

    def check() -> None:
        raise CancelRequested

    with pytest.raises(CancelRequested):
        lay(version, "again", check=check)
    for thread in layers():
        thread.join(5)
    assert not layers()


def layers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("layer")]


def test_a_storage_that_does_not_answer_holds_nobody_up(
    version: DatasetVersion, lay: Callable[..., Layout], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()

    def silent(storage: Any, name: str) -> Any:
        answer.wait(60)
        raise ConnectionError("away")

    def on_progress(done: int) -> None:
        raise CancelRequested

    monkeypatch.setattr(data_layout, "stored_chunks", silent)
    monkeypatch.setattr(data_layout, "_LEAVE_SECONDS", 0.1)
    began = time.monotonic()
    with pytest.raises(CancelRequested):
        lay(version, on_progress=on_progress)
    assert time.monotonic() - began < 10
    answer.set()


def test_what_a_run_finds_is_not_removed_to_make_room_for_the_rest(
    version: DatasetVersion,
    lay: Callable[..., Layout],
    project: Project,
    owner: User,
    tmp_path: Path,
) -> None:
    """Its own pictures were used longest ago, until it wants them."""
    lay(version)
    shutil.rmtree(tmp_path / "data")
    other = brought(project, owner, range(100, 100 + COUNT))
    lay(other, "other")
    shutil.rmtree(tmp_path / "other")
    larger = brought(project, owner, range(COUNT + 4))
    kept = {image.picture_id for image in trained_on(version)}
    wanted = {image.picture_id for image in trained_on(larger)}
    full = PictureCache(tmp_path / "cache", PictureCache(tmp_path / "cache", 0).size())
    assert lay(larger, "larger", cache=full).found >= len(kept & wanted)


def test_as_jpeg_where_the_pixels_would_not_fit(
    version: DatasetVersion, lay: Callable[..., Layout], tmp_path: Path
) -> None:
    lay(version, cache=PictureCache(tmp_path / "small", 50_000))
    for path in pictures(tmp_path / "data"):
        head = Head.from_bytes(path.read_bytes())
        assert head.form == Form.JPEG
        pixels = cv2.imdecode(np.frombuffer(path.read_bytes()[128:], np.uint8), cv2.IMREAD_COLOR)
        assert pixels.shape[:2] == head.shape


def test_as_jpeg_where_memory_could_not_hold_them(
    version: DatasetVersion,
    lay: Callable[..., Layout],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_layout, "memory_size", lambda: 100_000)
    lay(version)
    heads = [Head.from_bytes(path.read_bytes()) for path in pictures(tmp_path / "data")]
    assert {head.form for head in heads} == {Form.JPEG}


def test_rows_of_the_first_releases_are_taken_as_they_are(
    version: DatasetVersion, lay: Callable[..., Layout]
) -> None:
    """They know the digest of what came, not of what was kept; here both are the same."""
    for picture in Picture.objects.all():
        Picture.objects.filter(pk=picture.pk).update(stored_sha256="", sha256=picture.stored_sha256)
    assert lay(version).made == len(trained_on(version))


def test_the_memory_of_this_host_is_known() -> None:
    assert data_layout.memory_size() > 10**8
