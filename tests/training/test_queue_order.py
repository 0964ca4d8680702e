"""Whose turn it is: fair between projects, within limits, by card; and the place shown is true."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import training.errors  # noqa: F401  registers the codes
from accounts.models import User
from jobs import transitions
from jobs.errors import UserError
from jobs.reconcile import reconcile
from jobs.states import Status
from projects.models import Project
from tests.factories import make_dataset, make_project, make_run, make_version, make_worker
from tests.services.valkey import Valkey
from training import services
from training.fleet import gpu_classes, workers_for
from training.models import TrainingRun
from training.services import next_run

pytestmark = pytest.mark.django_db

CLASSES = ("", "t4", "a100")


class Projects:
    """Projects by letter, each with data; `a` came before `b`."""

    def __init__(self) -> None:
        self.versions: dict[str, Any] = {}
        self.count = 0

    def wait(self, letter: str, **fields: Any) -> TrainingRun:
        """Queue a run a second after the one before."""
        if letter not in self.versions:
            self.versions[letter] = make_version(make_dataset(make_project(name=letter)))
        version = self.versions[letter]
        self.count += 1
        name = f"{letter}{self.count}"
        run = make_run(dataset_version=version, name=name, **fields)
        queued = timezone.now() - timedelta(hours=1) + timedelta(seconds=self.count)
        TrainingRun.objects.filter(pk=run.pk).update(queued_at=queued)
        run.refresh_from_db()
        return run


@pytest.fixture
def projects() -> Projects:
    return Projects()


def take(run: TrainingRun | None) -> TrainingRun:
    """Claim what was picked, as a worker does; two turns are not in the same millisecond."""
    assert run is not None
    claimed = transitions.claim(TrainingRun, run.pk, worker="w")
    assert claimed is not None
    time.sleep(0.002)
    return claimed


def picks(pick: Callable[[], TrainingRun | None]) -> Iterator[TrainingRun]:
    """Take one run after another until none is left that may be taken."""
    while run := pick():
        yield take(run)


def places() -> dict[str, int | None]:
    rows = TrainingRun.objects.filter(status=Status.QUEUED).with_queue_position()
    return {run.name: run.queue_position for run in rows}


class TestFairness:
    def test_one_worker_serves_projects_in_turn(self, projects: Projects) -> None:
        for letter in "aaaaabccd":
            projects.wait(letter)
        order = []
        while run := next_run():
            order.append(run.name[0])
            transitions.finish(take(run), Status.SUCCEEDED)
        assert "".join(order) == "abcdacaaa"

    def test_who_has_fewer_on_comes_first(self, projects: Projects) -> None:
        for letter in "aaab":
            projects.wait(letter)
        order = [run.name[0] for run in picks(next_run)]
        assert order == ["a", "b", "a", "a"]

    def test_priority_comes_before_fairness(self, projects: Projects) -> None:
        projects.wait("a")
        projects.wait("b")
        urgent = [projects.wait("a", priority=5).name for _ in range(2)]
        assert [run.name for run in picks(next_run)][:2] == urgent

    def test_what_was_interrupted_goes_on_before_others(self, projects: Projects) -> None:
        projects.wait("a")
        begun = take(next_run())
        projects.wait("b")
        transitions.take_back(begun)
        assert next_run() == begun

    def test_what_a_person_lets_go_on_waits_its_turn(self, projects: Projects) -> None:
        projects.wait("a")
        failed = take(next_run())
        transitions.finish(failed, Status.FAILED)
        other = projects.wait("b")
        failed.refresh_from_db()
        services.resume_run(run=failed)
        assert next_run() == other

    def test_many_runs_of_one_project_keep_no_other_waiting(self, projects: Projects) -> None:
        for _ in range(30):
            projects.wait("a")
        transitions.finish(take(next_run()), Status.SUCCEEDED)
        late = projects.wait("b")
        assert places()[late.name] == 1
        assert next_run() == late


class TestTheShownPlace:
    @pytest.mark.parametrize("seed", range(12))
    def test_is_the_order_in_which_workers_really_pick(
        self, projects: Projects, settings: Any, seed: int
    ) -> None:
        chance = random.Random(seed)
        settings.PROJECT_RUNS = chance.choice([0, 0, 1, 2, 3])
        for gpu_class in CLASSES[1:]:
            make_worker(gpu_class=gpu_class)
        some = random_queue(projects, chance)
        shown = places()
        assert set(shown) == some
        wanted = dict.fromkeys(shown)
        for gpu_class in CLASSES:
            found = picked_from(gpu_class)
            rows = TrainingRun.objects.filter(gpu_class=gpu_class, name__in=shown)
            for name in rows.values_list("name", flat=True):
                wanted[name] = found.get(name)
        assert shown == wanted

    def test_of_runs_beyond_the_limit_is_none_and_says_why(
        self, projects: Projects, settings: Any
    ) -> None:
        settings.PROJECT_RUNS = 1
        make_worker()
        for letter in "aaab":
            projects.wait(letter)
        take(next_run())
        rows = {run.name: run for run in TrainingRun.objects.all().with_queue_position()}
        assert rows["a1"].queue_position is None and rows["a1"].waits_for is None
        assert rows["b4"].queue_position == 1
        assert rows["a2"].queue_position is None
        assert rows["a2"].waits_for == {"code": "waits_for_project", "params": {"most": 1}}

    def test_of_a_card_that_nobody_has_keeps_no_other_back(self, projects: Projects) -> None:
        make_worker(gpu_class="t4")
        lonely = projects.wait("a", gpu_class="h100")
        other = projects.wait("a")
        rows = {run.name: run for run in TrainingRun.objects.all().with_queue_position()}
        assert rows[other.name].queue_position == 1
        assert rows[lonely.name].waits_for["code"] == "waits_for_class"

    @pytest.mark.parametrize(
        "fields",
        [
            {"state": "refused"},
            {"state": "waiting"},
            {"drain": "after"},
            {"queue": "imports"},
            {"last_seen": timezone.now() - timedelta(minutes=2)},
        ],
    )
    def test_says_where_no_worker_takes_anything(
        self, projects: Projects, fields: dict[str, Any]
    ) -> None:
        make_worker(**fields)
        projects.wait("a")
        run = TrainingRun.objects.all().with_queue_position().get()
        assert (run.queue_position, run.waits_for["code"]) == (1, "waits_for_worker")
        make_worker(state="busy")
        assert TrainingRun.objects.all().with_queue_position().get().waits_for is None

    def test_takes_two_queries_for_any_number_of_runs(self, projects: Projects) -> None:
        for letter in "aabbc":
            projects.wait(letter, gpu_class=random.choice(CLASSES))
        with CaptureQueriesContext(
            connection,
        ) as taken:
            assert len(TrainingRun.objects.all().with_queue_position()) == 5
        assert len(taken) == 3


def random_queue(projects: Projects, chance: random.Random) -> set[str]:
    """Make runs in every state; return the names of those that wait."""
    for _ in range(chance.randint(8, 18)):
        run = projects.wait(
            chance.choice("abcd"),
            priority=chance.choice([0, 0, 0, 3]),
            gpu_class=chance.choice(CLASSES),
        )
        if chance.random() < 0.35:
            held = transitions.claim(TrainingRun, run.pk, worker="w")
            time.sleep(0.002)
            if held and chance.random() < 0.6:
                end = chance.choice(["finish", "take_back", "fail_and_resume"])
                if end == "take_back":
                    transitions.take_back(held)
                else:
                    how = Status.SUCCEEDED if end == "finish" else Status.FAILED
                    transitions.finish(held, how)
                if end == "fail_and_resume":
                    transitions.requeue(held)
    rows = TrainingRun.objects.filter(status=Status.QUEUED)
    return set(rows.values_list("name", flat=True))


def picked_from(gpu_class: str) -> dict[str, int]:
    """Really pick until nothing is left, and undo it; return the number of each pick."""
    with transaction.atomic():
        rows = picks(lambda: next_run(gpu_class=gpu_class or None))
        found = {run.name: number for number, run in enumerate(rows, 1)}
        transaction.set_rollback(True)
    return found


class TestLimits:
    def test_a_project_has_no_more_on_than_it_may(self, projects: Projects, settings: Any) -> None:
        settings.PROJECT_RUNS = 2
        for letter in "aaaab":
            projects.wait(letter)
        assert sorted(run.name[0] for run in picks(next_run)) == ["a", "a", "b"]
        waiting = TrainingRun.objects.filter(status=Status.QUEUED).first()
        assert transitions.claim(TrainingRun, waiting.pk, worker="w") is None
        transitions.finish(TrainingRun.objects.held().get(name="a1"), Status.SUCCEEDED)
        assert next_run() is not None

    def test_nobody_is_called_for_what_is_beyond_it(
        self, projects: Projects, settings: Any, valkey: Valkey
    ) -> None:
        settings.PROJECT_RUNS = 1
        for letter in "aab":
            projects.wait(letter)
        take(next_run())
        assert reconcile().delivered == 1

    def test_no_more_wait_than_may(self, project: Project, editor: User, settings: Any) -> None:
        settings.PROJECT_WAITING = 1
        version = make_version(make_dataset(project))
        ended = make_run(dataset_version=version, status=Status.FAILED)
        start = {"project": project, "user": editor, "dataset_version": version}
        start |= {"base_model": "yolo26n-scratch", "options": {}}
        services.start_run(**start)
        for refused in (
            lambda: services.start_run(**start),
            lambda: services.resume_run(run=ended),
        ):
            with pytest.raises(UserError) as error:
                refused()
            assert (error.value.code, error.value.status) == ("too_many_waiting", 409)
            assert "{" not in error.value.message
        other = make_version(make_dataset(make_project()))
        services.start_run(**{**start, "project": other.dataset.project, "dataset_version": other})

    @pytest.mark.django_db(transaction=True)
    def test_eight_workers_at_once_do_not_pass_it(self, projects: Projects, settings: Any) -> None:
        settings.PROJECT_RUNS = 2
        runs = [projects.wait("a") for _ in range(8)]
        gate = threading.Barrier(8)
        claimed = []

        def claim(run: TrainingRun) -> None:
            gate.wait()
            claimed.append(transitions.claim(TrainingRun, run.pk, worker=run.name))
            connection.close()

        threads = [threading.Thread(target=claim, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([run for run in claimed if run is not None]) == 2
        assert TrainingRun.objects.held().count() == 2


class TestTheFleet:
    def test_who_could_take_a_run_with_which_card(self) -> None:
        small = make_worker(gpu_class="t4", gpu_name="Tesla T4", gpu_memory_mb=15360)
        large = make_worker(gpu_class="a100", state="busy", gpu_memory_mb=81920)
        make_worker(gpu_class="a100", state="refused")
        make_worker(gpu_class="a100", drain="now")
        make_worker(gpu_class="", queue="imports")
        assert set(workers_for()) == {small, large}
        assert [worker.gpu_memory_mb for worker in workers_for("a100")] == [81920]
        assert not workers_for("h100").exists()
        assert gpu_classes() == ["a100", "t4"]
