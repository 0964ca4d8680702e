"""A Custom Vision project becomes a version: the real SDK, over sockets, to an emulator."""

import pytest

from datasets.models import ImportSecret
from jobs.states import Status
from tests.custom_vision.conftest import BEER, CAN, ImportIt, fill
from tests.custom_vision.emulator import Emulator
from tests.datasets.importing import distinct_jpeg, warnings_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_project_comes_in_whole(emulator: Emulator, import_it: ImportIt) -> None:
    fill(emulator, 300)  # more than one page
    job = import_it()
    version = job.version
    assert (job.status, version.status) == (Status.SUCCEEDED, "ready")
    assert [row.name for row in version.classes.all()] == [BEER, CAN]
    assert [(row.images, row.boxes) for row in version.classes.all()] == [(150, 150)] * 2
    assert (version.images_total, version.source) == (300, "custom_vision")
    image = version.images.select_related("picture").first()
    width, height = image.picture.width, image.picture.height
    expected = [0.2 * width, 0.3 * height, 0.45 * width, 0.8 * height]
    assert image.boxes[0][1:] == pytest.approx(expected, abs=0.01)
    assert warnings_of(job) == {}
    assert not ImportSecret.objects.exists()


def test_each_picture_is_fetched_once(emulator: Emulator, import_it: ImportIt) -> None:
    fill(emulator, 60)
    import_it()
    assert set(emulator.fetched().values()) == {1}
    assert len(emulator.fetched()) == 60
    sizes = {int(asked.query["take"]) for asked in emulator.asked if "take" in asked.query}
    assert sizes == {256}


def test_untagged_pictures_are_left_out_or_background(
    emulator: Emulator, import_it: ImportIt
) -> None:
    fill(emulator, 6)
    for number in range(4):
        emulator.add_picture(distinct_jpeg(100 + number), (64, 48))
    without = import_it()
    assert without.version.images_total == 6
    assert warnings_of(without)["untagged_left_out"] == 4
    both = import_it(dataset=without.version.dataset, include_untagged=True)
    assert both.version.images_total == 10
    assert both.version.images.filter(boxes=[]).count() == 4
    assert "picture_unlabelled" not in warnings_of(both)


def test_negative_pictures_are_background_and_general_product_stays_a_class(
    emulator: Emulator, import_it: ImportIt
) -> None:
    fill(emulator, 6)
    negative, product = (
        emulator.add_tag("Không có", "Negative"),
        emulator.add_tag("Sản phẩm", "GeneralProduct"),
    )
    emulator.add_picture(distinct_jpeg(50), (64, 48), tags=[negative])
    emulator.add_picture(distinct_jpeg(51), (64, 48), [(product, 0.1, 0.1, 0.2, 0.2)])
    job = import_it()
    assert [row.name for row in job.version.classes.all()] == [BEER, CAN, "Sản phẩm"]
    assert job.version.images_total == 8
    told = warnings_of(job)
    assert (told["negative_tag"], told["general_product"]) == (1, 1)
    assert "picture_unlabelled" not in told
