"""Pictures whose detection never came to be go when they are old; others stay."""

import os
import time
import uuid
from pathlib import Path

import pytest

from accounts.models import User
from detection import services
from detection.leftovers import remove_unowned_pictures
from detection.models import detections_storage
from tests.detection.files import sent, stored
from training.models import TrainedModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("waiting")]


def test_only_old_pictures_without_a_detection_go(owner: User, model: TrainedModel) -> None:
    kept = services.start_detection(
        project=model.project, user=owner, model=model, pictures=[sent()]
    )
    owned = stored()
    folders = [Path(detections_storage().path(f"detections/{uuid.uuid4()}")) for _ in range(3)]
    old, young, empty = folders
    for folder in folders:
        folder.mkdir()
    for folder in (old, young):
        (folder / "a").write_bytes(b"x")
    long_ago = time.time() - 3 * 24 * 3600
    for path in (old / "a", empty, Path(detections_storage().path(f"detections/{kept.pk}"))):
        os.utime(path, (long_ago, long_ago))

    assert remove_unowned_pictures() == 2

    assert [folder.exists() for folder in folders] == [False, True, False]
    assert stored() - owned == {str(young / "a")}
