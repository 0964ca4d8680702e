"""Database or storage fails just while an epoch is committed: it is committed once, and whole."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.storage import Storage
from django.db import OperationalError, connection

from jobs import transitions
from jobs.models import JobEvent
from jobs.reporter import Reporter
from jobs.states import Status
from tests import factories
from tests.services.postgres import Postgres
from tests.services.s3 import S3Server
from tests.training.conftest import Scripted, assert_whole
from tests.training.told import claimed, epoch_message
from training import checkpoints, epochs, results
from training.committing import Committer
from training.models import Checkpoint, TrainingRun

SECONDS_AWAY = 4.0


@pytest.fixture
def transactional_db(committed_rows: None) -> None:
    """The database as threads see it, in place of pytest-django's fixture of this name."""


@pytest.fixture
def run(transactional_db: None) -> TrainingRun:
    """A run of three epochs that this test holds."""
    factories.make_run(options={"epochs": 3})
    return claimed()


@pytest.fixture
def message(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Makes what the trainer says at the end of an epoch."""
    return lambda number, **more: epoch_message(
        tmp_path, number, content=os.urandom(300_000), **more
    )


@contextmanager
def once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[..., Any]) -> Any:
    """Have one call of a function do something else, which is given the function itself."""
    real, calls = getattr(module, name), []

    def instead(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return act(real, *args, **kwargs) if len(calls) == 1 else real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, instead)
        yield calls


def then(act: Callable[[], object]) -> Callable[..., Any]:
    """Return what does as a function does, and something else before it returns."""

    def call(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = real(*args, **kwargs)
        act()
        return answer

    return call


def commit(run: TrainingRun, *messages: dict[str, Any]) -> None:
    """Commit epochs as an attempt does."""
    with Committer(run, Reporter(run)) as committer:
        for one in messages:
            committer.add(one)
            committer.finish(lambda: None)


def assert_committed(run: TrainingRun, wanted: int) -> None:
    """Every epoch is there once, the last two can be gone on from, and the run knows it."""
    in_memory = run.epoch
    run.refresh_from_db()
    assert (run.status, run.epoch, in_memory, run.losses) == (Status.RUNNING, wanted, wanted, 0)
    assert_whole(run, wanted)
    last = [item.epoch for item in checkpoints.candidates(run)]
    assert last == list(range(wanted, max(wanted - 2, 0), -1))
    for item in run.checkpoints.all():
        with item.file.open("rb") as file:
            assert checkpoints.file_sha256(file) == item.sha256


class TestTheDatabaseGoesAway:
    @pytest.fixture
    def crash(self, on_postgres: Postgres) -> Iterator[Callable[[], None]]:
        """Crash the server, and start it again after some seconds."""
        starts: list[threading.Timer] = []

        def crash() -> None:
            on_postgres.crash()
            starts.append(threading.Timer(SECONDS_AWAY, on_postgres.start))
            starts[-1].start()

        yield crash
        for start in starts:
            start.join()

    def test_while_an_epoch_is_being_stored(
        self,
        crash: Callable[[], None],
        run: TrainingRun,
        message: Callable[..., dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        commit(run, message(1, is_best=True))
        connection.close()

        def store(real: Any, *args: Any, **kwargs: Any) -> Any:
            crash()
            return real(*args, **kwargs)

        began = time.monotonic()
        with once(monkeypatch, checkpoints, "store", store):
            commit(run, message(2), message(3))
        assert time.monotonic() - began > SECONDS_AWAY
        assert_committed(run, 3)

    def test_within_the_transaction(
        self,
        crash: Callable[[], None],
        run: TrainingRun,
        message: Callable[..., dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        connection.close()

        with once(monkeypatch, transitions, "append", then(crash)) as calls:
            commit(run, message(1, is_best=True))
        assert len(calls) == 2
        assert_committed(run, 1)

    def test_of_many_connections_that_are_cut_none_costs_an_epoch(
        self,
        on_postgres: Postgres,
        run: TrainingRun,
        message: Callable[..., dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        connection.close()

        for number in (1, 2, 3):
            with once(
                monkeypatch, transitions, "append", then(on_postgres.cut_connections)
            ) as calls:
                commit(run, message(number, is_best=number == 2))
            assert len(calls) == 2
        assert_committed(run, 3)


class TestAnAnswerThatIsLost:
    def test_of_the_only_commit_of_a_run_leaves_a_run_that_has_an_epoch(
        self,
        run: TrainingRun,
        message: Callable[..., dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """Which its end asks for: without one there would be nothing to keep."""

        def append(real: Any, *args: Any, **kwargs: Any) -> Any:
            connection.on_commit(lose_the_answer)
            return real(*args, **kwargs)

        with once(monkeypatch, transitions, "append", append) as calls:
            commit(run, message(1, is_best=True))
        assert len(calls) == 1, "it is not written twice"
        assert_committed(run, 1)
        assert run.best["epoch"] == 1
        best = tmp_path / "best.pt"
        best.write_bytes(b"the best")
        done = {"best_path": str(best), "artifacts": [], "metrics": {}, "stopped_early": False}
        results.prepare(run, {**done, "best": {}}, lambda: None)

    def test_of_one_that_did_not_land_writes_over_nobodys_checkpoint(
        self,
        run: TrainingRun,
        message: Callable[..., dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """SQLite gives the numbers of rows that were rolled back to the next who asks."""
        theirs: list[Checkpoint] = []

        def append(real: Any, *args: Any, **kwargs: Any) -> Any:
            real(*args, **kwargs)
            raise OperationalError("server closed the connection unexpectedly")

        def wait(_: float) -> None:
            """Let another run commit first."""
            if not theirs:
                factories.make_run(options={"epochs": 3})
                other = claimed()
                commit(other, message(7, is_best=True))
                theirs.extend(other.checkpoints.order_by("pk"))

        with once(monkeypatch, transitions, "append", append):
            monkeypatch.setattr("jobs.patience.time.sleep", wait)
            told = message(1, is_best=True)
            epochs.commit(run, [told], lambda: None)
        assert_committed(run, 1)
        assert len(theirs) == 2
        for before in theirs:
            after = Checkpoint.objects.get(pk=before.pk)
            assert (after.run_id, after.epoch, after.file) == (
                before.run_id,
                before.epoch,
                before.file,
            )


def lose_the_answer() -> None:
    raise OperationalError("server closed the connection unexpectedly")


class _Cutting(File):  # type: ignore[type-arg]
    """A file in the midst of whose reading something happens."""

    def __init__(self, file: Any, act: Callable[[], None]) -> None:
        super().__init__(file)
        self._act, self._left = act, self.size // 2

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.file.read(size)
        before, self._left = self._left, self._left - len(data)
        if self._left <= 0 < before:
            self._act()
        return data


def test_s3_is_stopped_in_the_midst_of_an_epoch_and_it_is_committed_once(
    scripted: Scripted,
    s3_server: S3Server,
    s3_storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real server, in the middle of an upload of 20 MB; the trainer goes on meanwhile."""
    for module in (checkpoints, results):
        monkeypatch.setattr(module, "weights_storage", lambda: s3_storage)
    away: list[float] = []

    def come_back() -> None:
        time.sleep(SECONDS_AWAY)
        s3_server.start()
        s3_server.wait()
        away.append(time.monotonic())

    back = threading.Thread(target=come_back)

    def stop() -> None:
        s3_server.stop()
        away.append(time.monotonic())
        back.start()

    def store(real: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs["epoch"] >= 2 and not away:
            monkeypatch.setattr(checkpoints, "File", lambda source: _Cutting(source, stop))
        try:
            return real(*args, **kwargs)
        finally:
            monkeypatch.setattr(checkpoints, "File", File)

    run = scripted.begin({"epochs": 0.5, "weights": 20_000_000}, epochs=6)
    real = checkpoints.store
    monkeypatch.setattr(checkpoints, "store", lambda *a, **k: store(real, *a, **k))
    run = scripted.work(run)
    back.join()

    assert len(away) == 2, "it was away"
    assert away[1] - away[0] > SECONDS_AWAY
    assert (run.status, run.attempt, run.losses) == (Status.SUCCEEDED, 1, 0), run.error
    assert_whole(run, 6)
    assert run.events.filter(type=JobEvent.Type.EPOCH, payload__epoch=2).count() == 1
    assert run.checkpoints.filter(kind="last").first().epoch == 6
    for item in run.checkpoints.all():
        with s3_storage.open(item.file.name) as file:
            assert checkpoints.file_sha256(file) == item.sha256
