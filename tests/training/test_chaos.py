"""The joined proof: lease, real RQ and real training together under random kills and freezes.

Events are drawn from a seed, each kind about as often as any other; CHAOS_EVENTS and CHAOS_SEED
change how many and which, CHAOS_KINDS=kill leaves the freezes out.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.models import User
from jobs import queue
from jobs.models import JobEvent
from jobs.states import TERMINAL, Status
from projects.models import Project
from tests.services.programs import Program, Programs
from tests.services.report import leave_report
from tests.services.valkey import Valkey
from tests.training.data import SIDE, imported_version
from training import services
from training.models import TrainingRun, weights_storage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
]

EVENTS = int(os.environ.get("CHAOS_EVENTS", "20"))
KINDS = os.environ.get("CHAOS_KINDS", "")
#: In which all has to be over; events that come close together cost more than others.
SECONDS = 500 + 40 * EVENTS
SEED = int(os.environ.get("CHAOS_SEED", "11"))
RUNS = 3
EPOCHS = 8
LEASE = {"JOB_LEASE_SECONDS": 5.0, "JOB_RENEW_SECONDS": 0.8}
#: Longer than the lease and a pass of the reconciler: what was frozen finds its run taken back.
FREEZE_SECONDS = 6.0
HOPELESS = {"worker_lost", "trainer_crashed"}
#: What the log says of a resume, and of one that failed.
GOING_ON = gettext_noop("Going on after epoch %(epoch)d (attempt %(attempt)d).")
NO_RESUME = (
    gettext_noop("This checkpoint cannot be read; trying the one before."),
    gettext_noop("The checkpoint of epoch %(epoch)d is missing or damaged."),
)


class Chaos:
    """Two training workers, a reconciler and Valkey, of which any may go at any time."""

    def __init__(self, programs: Programs, valkey: Valkey, rng: random.Random) -> None:
        self.programs, self.valkey, self.rng = programs, valkey, rng
        self.workers = [self._worker(), self._worker()]
        self.reconciler = programs.reconciler()
        self.done: dict[str, int] = {}
        self.frozen: list[tuple[float, Callable[[], object]]] = []
        self.to_come: list[Callable[[], bool]] = []

    def _worker(self) -> Program:
        return self.programs.worker("training", **LEASE)

    def strike(self) -> None:
        """Let one random thing happen; all have happened before the first happens again."""
        if not self.to_come:
            self.to_come = self._all_that_may_happen()
        action = self.to_come.pop()
        if action():
            name = action.__name__
            self.done[name] = self.done.get(name, 0) + 1
        else:  # nothing was there to be struck
            self.to_come.insert(0, action)

    def _all_that_may_happen(self) -> list[Callable[[], bool]]:
        actions = [
            self.kill_trainer,
            self.kill_trainer,
            self.kill_supervisor,
            self.kill_worker,
            self.freeze_supervisor,
            self.freeze_trainer,
            self.freeze_worker,
            self.freeze_valkey,
            self.restart_valkey,
        ]
        if KINDS == "kill":
            actions = [action for action in actions if "freeze" not in action.__name__]
        self.rng.shuffle(actions)
        return actions

    def mend(self) -> None:
        """Do what the portal's own supervisor does: restart what has died, thaw what was frozen."""
        now = time.monotonic()
        for item in [item for item in self.frozen if item[0] <= now]:
            item[1]()
            self.frozen.remove(item)
        self.workers = [w if w.poll() is None else self._worker() for w in self.workers]
        if self.reconciler.poll() is not None:
            self.reconciler = self.programs.reconciler()
        if not self.frozen:  # it would be thawed by this
            self.valkey.ensure()

    def kill_trainer(self) -> bool:
        return self._signal(self._one_of(trainers(busy=True)), signal.SIGKILL)

    def freeze_trainer(self) -> bool:
        return self._freeze(self._one_of(trainers(busy=True)))

    def kill_supervisor(self) -> bool:
        return self._signal(self._one_of(self._supervisors()), signal.SIGKILL)

    def freeze_supervisor(self) -> bool:
        return self._freeze(self._one_of(self._supervisors()))

    def kill_worker(self) -> bool:
        worker = self.rng.choice(self.workers)
        worker.kill()
        return True

    def freeze_worker(self) -> bool:
        return self._freeze(self.rng.choice(self.workers).pid)

    def freeze_valkey(self) -> bool:
        """Have it take connections and answer none."""
        self.valkey.freeze()
        self.frozen.append((time.monotonic() + FREEZE_SECONDS, self.valkey.thaw))
        return True

    def restart_valkey(self) -> bool:
        self.valkey.restart_empty()
        return True

    def _supervisors(self) -> list[int]:
        """Return the workers' children that are at a run."""
        found = []
        for worker in self.workers:
            try:
                family = psutil.Process(worker.pid).children()
                found += [c.pid for c in family if not is_trainer(c)]
            except psutil.NoSuchProcess:
                continue
        return found

    def _one_of(self, pids: list[int]) -> int | None:
        return self.rng.choice(pids) if pids else None

    def _freeze(self, pid: int | None) -> bool:
        if not self._signal(pid, signal.SIGSTOP):
            return False
        thaw = partial(self._signal, pid, signal.SIGCONT)
        self.frozen.append((time.monotonic() + FREEZE_SECONDS, thaw))
        return True

    @staticmethod
    def _signal(pid: int | None, number: int) -> bool:
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True


def is_trainer(process: psutil.Process) -> bool:
    """Tell a trainer of this test's installation."""
    try:
        line = process.cmdline()
        return "training.trainer" in line and Path(process.cwd()).is_relative_to(settings.HOME)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def trainers(*, busy: bool = False) -> list[int]:
    """Return the trainers of this test's installation; `busy` leaves idle spares out."""
    found = [process for process in psutil.process_iter() if is_trainer(process)]
    if busy:
        found = [p for p in found if _has_run(p)]
    return [process.pid for process in found]


def _has_run(process: psutil.Process) -> bool:
    """A trainer at work has changed into the folder of its run."""
    try:
        return "training-runs-" in process.cwd()
    except psutil.Error:
        return False


@pytest.mark.timeout(SECONDS + 200)
def test_every_run_ends_and_no_committed_epoch_is_lost_or_twice(
    project: Project,
    owner: User,
    programs: Programs,
    valkey: Valkey,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    rng = random.Random(SEED)
    version = imported_version(project, owner, monkeypatch)
    options = {"epochs": EPOCHS, "patience": 0, "imgsz": SIDE, "batch": 8}
    runs: list[TrainingRun] = []
    chaos = Chaos(programs, valkey, rng)
    committed: dict[tuple[Any, int], int] = {}
    lost: set[tuple[Any, int]] = set()
    began = time.monotonic()

    events, calm_until = 0, time.monotonic() + 5
    while events < EVENTS or _active(runs):
        if events < EVENTS and _active(runs) < RUNS:
            run = services.start_run(
                project=project,
                user=owner,
                dataset_version=version,
                base_model="yolo26n-scratch",
                options={**options, "seed": len(runs)},
            )
            runs.append(run)
        lost |= _watch_epochs(runs, committed)
        chaos.mend()
        if events < EVENTS and time.monotonic() >= calm_until and not chaos.frozen:
            chaos.strike()
            events = sum(chaos.done.values())
            calm_until = time.monotonic() + rng.uniform(1, 7)
        for run in _hopeless(runs):  # a person presses "go on"
            queue.retry(run)
        assert time.monotonic() - began < SECONDS, "the runs do not end"
        time.sleep(0.2)

    seconds = time.monotonic() - began
    for run in runs:
        run.refresh_from_db()
    attempts = sum(run.attempt for run in runs)
    leave_report(
        seconds=seconds,
        events=chaos.done,
        runs=len(runs),
        attempts=attempts,
        epochs=len(committed),
        lost=len(lost),
        resumes=sum(run.events.filter(text_of(GOING_ON)).count() for run in runs),
        failed_resumes=sum(_failed_resumes(run) for run in runs),
    )
    assert not lost
    for run in runs:
        assert run.status == Status.SUCCEEDED, run.error
        assert not _failed_resumes(run)
        _assert_whole(run)
    _assert_no_orphan(chaos)
    with capsys.disabled():
        print(
            f"\nchaos seed {SEED}: {sum(chaos.done.values())} events {chaos.done}, "
            f"{attempts} attempts for {len(runs)} runs of {EPOCHS} epochs, {seconds:.0f} s"
        )


def _active(runs: list[TrainingRun]) -> int:
    ids = [run.pk for run in runs]
    ended = TrainingRun.objects.filter(pk__in=ids, status__in=TERMINAL)
    return len(ids) - ended.exclude(status=Status.FAILED).count()


def _hopeless(runs: list[TrainingRun]) -> list[TrainingRun]:
    failed = list(TrainingRun.objects.filter(pk__in=[r.pk for r in runs], status=Status.FAILED))
    for run in failed:
        assert run.error is not None
        assert run.error["code"] in HOPELESS, run.error
    return failed


def _watch_epochs(
    runs: list[TrainingRun], committed: dict[tuple[Any, int], int]
) -> set[tuple[Any, int]]:
    """Return the epochs that were seen and have vanished, or changed hands to an older attempt."""
    from training.models import EpochMetrics

    rows = EpochMetrics.objects.filter(run__in=runs).values_list("run_id", "epoch", "attempt")
    now = {(run, epoch): attempt for run, epoch, attempt in rows}
    lost = {key for key, attempt in committed.items() if now.get(key, -1) < attempt}
    committed.update(now)
    return lost


def _failed_resumes(run: TrainingRun) -> int:
    return sum(run.events.filter(text_of(message)).count() for message in NO_RESUME)


def text_of(message: str) -> Q:
    """Return what finds a line of the log, in the language that it was written in."""
    with translation.override(settings.LANGUAGE_CODE):
        beginning = _(message).partition("%")[0]
    assert beginning.strip()
    return Q(type=JobEvent.Type.LOG, payload__text__startswith=beginning)


def _assert_whole(run: TrainingRun) -> None:
    wanted = list(range(1, EPOCHS + 1))
    assert list(run.epochs.values_list("epoch", flat=True)) == wanted
    frames = run.events.filter(type=JobEvent.Type.EPOCH)
    assert [frame.payload["epoch"] for frame in frames] == wanted
    numbers = list(run.events.values_list("seq", flat=True))
    assert numbers == list(range(1, run.last_seq + 1))
    for checkpoint in run.checkpoints.all():
        assert weights_storage().size(checkpoint.file.name) == checkpoint.size
    assert run.model.classes == ["hộp đỏ", "lon xanh"]


def _assert_no_orphan(chaos: Chaos) -> None:
    for worker in chaos.workers:
        worker.terminate()
    deadline = time.monotonic() + 20
    # Supervisors are forked by the workers, those that were killed included.
    while (trainers() or chaos.programs.forked()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (trainers(), chaos.programs.forked()) == ([], [])
