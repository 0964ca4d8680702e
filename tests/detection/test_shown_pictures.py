"""What is shown of a picture: made by the worker, so that the web process decodes nothing large."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from accounts.models import User
from detection import picture_files, rendering, services
from detection.models import Detection, DetectionImage
from tests.detection.files import sent, stored
from tests.factories import make_detection_image, make_picture
from tests.personas import ClientFactory
from training.models import TrainedModel

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/detections/"


def png(width: int, height: int) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (width, height), "gray").save(output, "PNG", compress_level=1)
    return output.getvalue()


def read(answer: Any) -> Image.Image:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/jpeg"
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return Image.open(io.BytesIO(content))


@pytest.fixture
def large(model: TrainedModel, owner: User, at_once: None) -> Detection:
    """A detection of one PNG of 12 million pixels."""
    pictures = [sent("lớn.png", png(4000, 3000))]
    return services.start_detection(
        project=model.project, user=owner, model=model, pictures=pictures
    )


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of what Pillow opens in this process from now on."""
    sizes, real = [], Image.open

    def open_noted(*args: Any, **kwargs: Any) -> Any:
        picture = real(*args, **kwargs)
        sizes.append(picture.size)
        return picture

    monkeypatch.setattr(rendering.Image, "open", open_noted)
    return sizes


def test_a_thumbnail_is_only_sent(
    api: ClientFactory, viewer: User, large: Detection, opened: list[Any]
) -> None:
    answer = api(viewer).get(f"{URL}{large.pk}/images/0/thumbnail/")
    assert "max-age" in answer["Cache-Control"]
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert opened == []
    with Image.open(io.BytesIO(content)) as thumbnail:
        assert thumbnail.size == (320, 240)


@pytest.mark.parametrize("address", ["images/0/annotated/", "export/?format=zip"])
def test_annotations_are_drawn_on_a_preview(
    api: ClientFactory, viewer: User, large: Detection, opened: list[Any], address: str
) -> None:
    answer: Any = api(viewer).get(f"{URL}{large.pk}/{address}")
    assert len(b"".join(answer)) > 1000
    assert opened == [(1600, 1200)]


def test_boxes_are_where_they_belong_on_a_preview(
    api: ClientFactory, viewer: User, large: Detection
) -> None:
    image = DetectionImage.objects.get()
    image.objects_found = [[0, 0.9, 2000.0, 1500.0, 3000.0, 2500.0]]
    image.save()
    with read(api(viewer).get(f"{URL}{large.pk}/images/0/annotated/")) as drawn:
        grey = drawn.getpixel((780, 800))
        edge = drawn.getpixel((1200, 900))
    assert sum(abs(a - b) for a, b in zip(grey, (128, 128, 128), strict=True)) < 20  # type: ignore[arg-type]
    assert sum(abs(a - b) for a, b in zip(edge, grey, strict=True)) > 60  # type: ignore[arg-type]


def test_the_picture_itself_is_kept_whole(
    api: ClientFactory, viewer: User, large: Detection
) -> None:
    answer: Any = api(viewer).get(f"{URL}{large.pk}/images/0/")
    with Image.open(io.BytesIO(b"".join(answer))) as picture:
        assert (picture.format, picture.size) == ("PNG", (4000, 3000))


def test_all_of_it_goes_with_the_detection(large: Detection) -> None:
    mine = {Path(name).name for name in stored() if str(large.pk) in name}
    image = large.images.get()
    ends = (".png", "-thumbnail.jpg", "-preview.jpg")
    assert mine == {f"{image.pk}{end}" for end in ends}
    services.delete_detection(detection=large)
    assert not [name for name in stored() if str(large.pk) in name]


class TestFromBefore:
    """Rows of an earlier release have no thumbnail and no preview."""

    def test_small_ones_are_drawn_as_they_are(self, api: ClientFactory, viewer: User) -> None:
        image = make_detection_image()
        image.detection.project.memberships.create(user=viewer, role="viewer")
        for what in ("thumbnail", "annotated"):
            address = f"{URL}{image.detection_id}/images/0/{what}/"
            with read(api(viewer).get(address)) as picture:
                assert picture.size == (64, 48)

    @pytest.mark.parametrize("what", ["thumbnail", "annotated"])
    def test_huge_ones_are_not_decoded_in_the_web_process(
        self, api: ClientFactory, viewer: User, opened: list[Any], what: str
    ) -> None:
        image = make_detection_image(width=10_000, height=9_900)
        image.detection.project.memberships.create(user=viewer, role="viewer")
        address = f"{URL}{image.detection_id}/images/0/{what}/"
        assert api(viewer).get(address).status_code == 404
        assert opened == []


def test_photos_are_drawn_on_at_a_part_of_their_size(
    api: ClientFactory, viewer: User, model: TrainedModel, opened: list[Any], at_once: None
) -> None:
    """No time is spent on previews of what phones take."""
    photo = make_picture((4000, 3000))
    job = services.start_detection(
        project=model.project, user=viewer, model=model, pictures=[sent("a.jpg", photo)]
    )
    assert not [name for name in stored() if str(job.pk) in name and "preview" in name]
    with read(api(viewer).get(f"{URL}{job.pk}/images/0/annotated/")) as drawn:
        assert drawn.size == (1600, 1200)


@pytest.mark.parametrize(
    ("size", "suffix", "needed"),
    [
        ((4000, 3000), ".jpg", False),
        ((8000, 6000), ".jpg", True),
        ((1920, 1080), ".png", False),
        ((4000, 3000), ".png", True),
    ],
)
def test_only_what_costs_much_gets_a_preview(
    size: tuple[int, int], suffix: str, needed: bool
) -> None:
    assert picture_files.needs_preview(*size, suffix) is needed


def test_few_pictures_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image, held = make_detection_image(), 0

    def _shrunk(row: DetectionImage, longest: int) -> Image.Image:
        nonlocal held
        while rendering._decoding.acquire(blocking=False):
            held += 1
        for _ in range(held):
            rendering._decoding.release()
        return Image.new("RGB", (10, 10))

    monkeypatch.setattr(rendering, "_shrunk", _shrunk)
    rendering.annotated_jpeg(image, ["can"], 0.25)
    assert held == 1
    assert picture_files.PREVIEW_SIDE <= 1600
