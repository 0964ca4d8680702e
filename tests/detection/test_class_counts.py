"""A detection's row tells how many of each class were found: by its worker, or by the migration."""

from importlib import import_module

import pytest
from django.apps import apps

from accounts.models import User
from detection import counts, services
from detection.models import Detection
from tests.detection.files import sent
from tests.factories import make_detection, make_detection_image
from training.models import TrainedModel


def test_they_are_of_all_pictures_from_the_confidence_on() -> None:
    pictures = [[[10, 0.9], [2, 0.5], [2, 0.4]], [], [[2, 0.6]]]
    assert list(counts.by_class(pictures, 0.5).items()) == [("2", 2), ("10", 1)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("conf", "found"), [(0.25, {"0": 2}), (0.95, {})])
def test_the_worker_writes_them(
    owner: User, model: TrainedModel, conf: float, found: dict[str, int]
) -> None:
    pictures = [sent(), sent("b.jpg", b"no picture"), sent("c.jpg")]
    job = services.start_detection(
        project=model.project, user=owner, model=model, pictures=pictures, conf=conf
    )
    assert Detection.objects.get(pk=job.pk).class_counts == found


@pytest.mark.django_db
def test_the_migration_counts_what_was_found_before() -> None:
    detection, empty = make_detection(conf=0.5), make_detection()
    for objects in ([[1, 0.9, 0, 0, 9, 9], [0, 0.4, 0, 0, 9, 9]], [[1, 0.5, 0, 0, 9, 9]]):
        make_detection_image(detection, objects_found=objects)

    import_module("detection.migrations.0004_class_counts").count_what_was_found(apps, None)

    detection.refresh_from_db()
    empty.refresh_from_db()
    assert (detection.class_counts, empty.class_counts) == ({"1": 2}, {})
