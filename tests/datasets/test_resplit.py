"""Splitting anew: others go on working meanwhile, and what is cut off is never used and goes away.

Run on SQLite here, on PostgreSQL by test_on_postgres.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from datasets import copies, services
from datasets.models import (
    Dataset,
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    ImageClass,
    ImageQuerySet,
)
from datasets.tally import Tally
from jobs.errors import UserError
from jobs.housekeeping import keep_house
from projects.models import Project
from tests.datasets.importing import Bring, labelled_zip, queue_zip
from tests.personas import ClientFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_delivery")]

Hook = Callable[[Callable[[], None]], None]
Counts = tuple[int, int, int, int]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Hook:
    """Call something once, when the first two images of a version have been copied."""

    def set_hook(hook: Callable[[], None]) -> None:
        in_chunks, calls = ImageQuerySet.in_chunks, [hook]

        def small_chunks(rows: ImageQuerySet) -> Iterator[list[Any]]:
            for number, chunk in enumerate(in_chunks(rows, 2)):
                if number == 1 and calls:
                    calls.pop()()
                yield chunk

        monkeypatch.setattr(ImageQuerySet, "in_chunks", small_chunks)

    return set_hook


def counts() -> Counts:
    """Return how many versions, images, classes and uses of classes there are."""
    return (
        DatasetVersion.objects.count(),
        DatasetImage.objects.count(),
        DatasetClass.objects.count(),
        ImageClass.objects.count(),
    )


def half_made() -> DatasetVersion:
    """Return the version that is not ready."""
    return DatasetVersion.objects.exclude(status="ready").get()


def in_another_thread(work: Callable[[], Any]) -> None:
    """Do something with a connection of its own, within seconds."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=5)
    assert not thread.is_alive(), "somebody holds a lock"


@pytest.mark.parametrize("key", ["", "once"])
def test_others_write_while_images_are_copied(
    api: ClientFactory, bring: Bring, editor: User, between: Hook, key: str
) -> None:
    version = bring(labelled_zip(6)).version
    seen = []

    def write() -> None:
        in_another_thread(lambda: Dataset.objects.update(name="renamed"))
        seen.append((half_made().status, half_made().images.count(), connection.in_atomic_block))

    between(write)
    headers = {"Idempotency-Key": key} if key else {}
    url = f"/api/v1/dataset-versions/{version.pk}/resplit/"
    answer = api(editor).post(url, {"split_ratio": 0.5}, format="json", headers=headers)

    assert seen == [("importing", 2, False)]
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["images"]["total"]) == ("ready", 6)
    assert Dataset.objects.get().name == "renamed"
    made = DatasetVersion.objects.get(pk=answer.json()["id"])
    assert (made.val_images, made.boxes, len(made.fingerprint)) == (3, version.boxes, 64)
    assert [(row.name, row.boxes, row.images) for row in made.classes.all()] == [
        (row.name, row.boxes, row.images) for row in version.classes.all()
    ]
    assert made.layout == {"format": "resplit", "of": str(version.pk)}


def test_the_same_key_gives_the_same_version(
    api: ClientFactory, bring: Bring, editor: User
) -> None:
    url = f"/api/v1/dataset-versions/{bring(labelled_zip(4)).version.pk}/resplit/"
    first, again = (
        api(editor).post(url, {}, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert first.json() == again.json()
    assert DatasetVersion.objects.count() == 2


def test_of_two_requests_with_one_key_the_slower_leaves_nothing(
    api: ClientFactory, bring: Bring, editor: User, between: Hook
) -> None:
    url = f"/api/v1/dataset-versions/{bring(labelled_zip(4)).version.pk}/resplit/"
    client, answers = api(editor), []

    def post() -> None:
        answers.append(client.post(url, {}, format="json", headers={"Idempotency-Key": "k"}))

    between(post)
    post()

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert counts() == (2, 8, 4, 8)
    assert not DatasetVersion.objects.exclude(status="ready").exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_between_leaves_nothing(
    bring: Bring, between: Hook, error: type[BaseException]
) -> None:
    version = bring(labelled_zip(6)).version
    before = counts()

    def fail() -> None:
        assert half_made().images.count() == 2
        raise error

    between(fail)
    with pytest.raises(error):
        services.resplit_version(version=version, split_ratio=0.5)

    assert counts() == before
    assert services.resplit_version(version=version, split_ratio=0.5).number == 2


def test_an_error_at_the_end_leaves_nothing(bring: Bring, monkeypatch: pytest.MonkeyPatch) -> None:
    version = bring(labelled_zip(6)).version
    before = counts()

    def fail(_: Tally) -> None:
        raise RuntimeError

    monkeypatch.setattr(Tally, "save_classes", fail)
    with pytest.raises(RuntimeError):
        services.resplit_version(version=version, split_ratio=0.5)
    assert counts() == before


def test_a_dataset_that_is_deleted_meanwhile_is_gone(bring: Bring, between: Hook) -> None:
    version = bring(labelled_zip(6)).version
    between(lambda: services.delete_dataset(dataset=version.dataset))
    with pytest.raises(UserError, match="dataset_gone"):
        services.resplit_version(version=version, split_ratio=0.5)
    assert counts() == (0, 0, 0, 0)


class TestKilled:
    """Nobody was there to remove what was half made."""

    @pytest.fixture
    def version(
        self, bring: Bring, between: Hook, monkeypatch: pytest.MonkeyPatch
    ) -> DatasetVersion:
        """A version whose resplit was killed."""
        version: DatasetVersion = bring(labelled_zip(6)).version

        def die() -> None:
            raise KeyboardInterrupt

        between(die)
        with monkeypatch.context() as patched:
            patched.setattr(copies, "_discard", lambda _: None)
            with pytest.raises(KeyboardInterrupt):
                services.resplit_version(version=version, split_ratio=0.5)
        return version

    def age(self) -> None:
        long_ago = timezone.now() - timedelta(hours=2)
        DatasetVersion.objects.update(created_at=long_ago)

    def test_nothing_of_it_can_be_used(
        self, api: ClientFactory, version: DatasetVersion, editor: User
    ) -> None:
        made, client = half_made(), api(editor)
        url = f"/api/v1/dataset-versions/{made.pk}/"
        assert client.get(url).json()["status"] == "importing"
        assert client.get(f"{url}images/").json()["count"] == 0
        assert client.get(f"{url}export/").json()["code"] == "version_not_ready"
        dataset = client.get(f"/api/v1/datasets/{version.dataset_id}/").json()
        assert dataset["latest_version"] == str(version.pk)

    def test_the_next_split_of_the_dataset_removes_it(self, version: DatasetVersion) -> None:
        self.age()
        made = services.resplit_version(version=version, split_ratio=0.5)
        assert set(DatasetVersion.objects.values_list("pk", flat=True)) == {version.pk, made.pk}
        assert counts() == (2, 12, 4, 12)

    def test_the_housekeeping_removes_it(self, version: DatasetVersion) -> None:
        self.age()
        keep_house()
        assert set(version.dataset.versions.values_list("pk", flat=True)) == {version.pk}

    def test_one_that_may_still_be_made_stays(self, version: DatasetVersion) -> None:
        copies.sweep()
        assert half_made().images.count() == 2

    def test_imports_and_what_is_ready_stay(
        self, version: DatasetVersion, owner: User, project: Project
    ) -> None:
        waiting = queue_zip(project, owner, labelled_zip(2), dataset_name="other").version
        made = services.resplit_version(version=version, split_ratio=0.5)
        self.age()
        copies.sweep()
        kept = set(DatasetVersion.objects.values_list("pk", flat=True))
        assert kept == {version.pk, made.pk, waiting.pk}

    def test_a_maker_that_was_only_slow_writes_nothing_more(
        self, bring: Bring, between: Hook
    ) -> None:
        version = bring(labelled_zip(6)).version
        before = counts()

        def sweep() -> None:
            self.age()
            copies.sweep()

        between(sweep)
        with pytest.raises(UserError, match="dataset_gone"):
            services.resplit_version(version=version, split_ratio=0.5)
        assert counts() == before
