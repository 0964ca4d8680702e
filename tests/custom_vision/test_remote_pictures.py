"""What was fetched is remembered by its id there; once more on PostgreSQL (test_on_postgres.py)."""

import pytest

from datasets.models import Import, Picture, RemotePicture
from datasets.picture_store import Placed
from datasets.remote_pictures import RemotePictures
from jobs import transitions
from projects.models import Project
from tests.custom_vision.conftest import ImportIt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def remote(queue_it: ImportIt) -> RemotePictures:
    """What is known of a project there, for an import that is at work."""
    job = transitions.claim(Import, queue_it().pk, worker="test")
    assert job is not None
    return RemotePictures(job)


def placed(project: Project, sha256: str) -> dict[str, Placed]:
    picture = Picture.objects.create(project=project, sha256=sha256, width=1, height=1, size=1)
    return {sha256: Placed(picture, 1)}


def test_an_id_that_came_twice_is_noted_once(remote: RemotePictures, project: Project) -> None:
    """As two files of one picture, both stored with one statement; the last one counts."""
    for sha256 in ("a", "a", "b"):
        remote.coming("id", sha256)
    remote.stored({**placed(project, "a"), **placed(project, "b")})
    assert RemotePicture.objects.values_list("remote_id", "sha256").get() == ("id", "b")


def test_one_that_comes_again_is_noted_anew(remote: RemotePictures, project: Project) -> None:
    for sha256 in ("a", "b"):
        remote.coming("id", sha256)
        remote.stored(placed(project, sha256))
    assert RemotePicture.objects.values_list("remote_id", "sha256").get() == ("id", "b")
