"""What is told before a training: by what this installation measured, else by estimates."""

from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.models import User
from cvtrainer_site import env
from jobs.states import Status
from projects.models import Project
from tests.factories import make_dataset, make_model, make_run, make_version, make_worker
from tests.personas import ClientFactory
from training.experience import (
    Wanted,
    learn,
    memory_mb,
    seconds_per_image,
    smallest_too_large,
)
from training.experience_row import Experience
from training.models import EpochMetrics, TrainingRun
from training.options import default_options
from training.preflight import Preflight, look_ahead

pytestmark = pytest.mark.django_db

T4 = {"gpu_name": "Tesla T4", "gpu_class": "t4", "gpu_memory_mb": 15_360}
CPU = {"gpu_class": "cpu"}
WANTED = Wanted("yolo11n", 640, 16, "mixed")


@pytest.fixture(autouse=True)
def weights(settings: Any, tmp_path: Any) -> None:
    """The weights of two models are on this host."""
    settings.WEIGHTS_DIR = str(tmp_path)
    for name in ("yolo11n", "yolo11x"):
        (tmp_path / f"{name}.pt").touch()


def trained(device: str = "Tesla T4", **changes: Any) -> TrainingRun:
    """Return a run of 3 epochs on 1,000 pictures: 60 s the first, 20 s the others; 3 GB."""
    options = changes.pop("options", {})
    used = {"architecture": "yolo11n", "imgsz": 640, "batch": 16, "amp": True}
    environment = {**used, "images": {"train": 1000, "val": 100}, **changes}
    run = make_run(device=device, environment=environment, attempt=1, options=options)
    for number, seconds in enumerate((60.0, 20.0, 20.0), 1):
        EpochMetrics.objects.create(
            run=run, epoch=number, attempt=1, seconds=seconds, gpu_memory_mb=3000 + number
        )
    return run


def ran_out(**changes: Any) -> None:
    """Learn of a training on a T4 that ran out of memory."""
    run = trained(**changes)
    run.error = {"code": "out_of_memory"}
    learn(run)


def ahead(project: Project, **changes: Any) -> Preflight:
    version = changes.pop("version", None) or make_version(make_dataset(project), train_images=500)
    options = {**default_options(), "epochs": 10, "batch": 16, **changes.pop("options", {})}
    asked = {"base_model": "yolo11n", "gpu_class": "", **changes}
    return look_ahead(project=project, dataset_version=version, options=options, **asked)


def codes(found: Preflight) -> dict[str, str]:
    return {finding.code: finding.level for finding in found.findings}


class TestExperience:
    def test_of_a_run_is_its_memory_and_the_time_of_its_later_epochs(self) -> None:
        learn(trained())
        row = Experience.objects.get()
        assert (row.gpu_class, row.memory_mb, row.runs) == ("t4", 3003, 1)
        assert row.seconds_per_image == pytest.approx(0.02)
        assert memory_mb(WANTED, "t4") == 3003
        assert seconds_per_image(WANTED, "t4") == (pytest.approx(0.02), False)

    def test_of_another_run_is_joined_with_what_is_known(self) -> None:
        learn(trained())
        second = trained()
        second.epochs.update(seconds=40.0, gpu_memory_mb=2000)
        learn(second)
        row = Experience.objects.get()
        assert (row.memory_mb, row.runs) == (3003, 2)
        assert row.seconds_per_image == pytest.approx(0.03)

    def test_of_another_size_or_network_is_scaled_and_called_rough(self) -> None:
        learn(trained())
        larger = Wanted("yolo11n", 1280, 16, "mixed")
        assert seconds_per_image(larger, "t4") == (pytest.approx(0.08), True)
        other = Wanted("yolo26m", 640, 16, "mixed")
        assert seconds_per_image(other, "t4") == (pytest.approx(0.21), True)
        assert memory_mb(larger, "t4") is None

    def test_of_another_card_says_nothing(self) -> None:
        learn(trained("NVIDIA A100-SXM4-80GB"))
        assert seconds_per_image(WANTED, "t4") is None
        assert memory_mb(WANTED, "a100") == 3003

    def test_of_a_card_that_was_too_small_is_remembered_until_it_fits(self) -> None:
        ran_out()
        ran_out(batch=32)
        assert smallest_too_large(WANTED, "t4") == 16
        learn(trained())
        assert smallest_too_large(WANTED, "t4") == 32

    def test_of_what_was_too_large_counts_for_what_needs_no_less(self) -> None:
        ran_out(amp=False)
        assert smallest_too_large(WANTED, "t4") is None
        assert smallest_too_large(Wanted("yolo11n", 640, 16, "fp32"), "t4") == 16
        assert smallest_too_large(Wanted("yolo11n", 320, 16, "fp32"), "t4") is None
        ran_out(imgsz=960)
        assert smallest_too_large(WANTED, "t4") is None
        varied = Wanted("yolo11n", 640, 16, "mixed", multi_scale=0.5)
        assert smallest_too_large(varied, "t4") == 16

    def test_of_changing_sizes_is_kept_apart(self) -> None:
        learn(trained(options={"multi_scale": 0.5}))
        varied = Wanted("yolo11n", 640, 16, "mixed", multi_scale=0.5)
        assert memory_mb(varied, "t4") == 3003 and memory_mb(WANTED, "t4") is None
        assert seconds_per_image(varied, "t4") == (pytest.approx(0.02), False)
        assert seconds_per_image(WANTED, "t4") == (pytest.approx(0.02 / (1 + 0.25 / 3)), True)

    def test_of_a_run_that_healed_itself_is_what_was_too_large_and_what_fitted(self) -> None:
        """It ran out with 16 and went on with 8: nothing of 16 is told of 8."""
        run = trained(batch=8, too_large=[16])
        run.epochs.filter(epoch=1).update(batch=16, gpu_memory_mb=15_000)
        run.epochs.exclude(epoch=1).update(batch=8)
        learn(run)
        assert smallest_too_large(WANTED, "t4") == 16
        assert memory_mb(WANTED, "t4") is None
        assert memory_mb(replace(WANTED, batch=8), "t4") == 3003

    def test_of_a_card_with_less_memory_says_nothing_of_one_with_more(self) -> None:
        ran_out(device="NVIDIA A100-PCIE-40GB")
        small, large = {"NVIDIA A100-PCIE-40GB"}, {"NVIDIA A100-SXM4-80GB"}
        assert smallest_too_large(WANTED, "a100") == 16
        assert smallest_too_large(WANTED, "a100", devices=small | large) == 16
        assert smallest_too_large(WANTED, "a100", devices=large) is None

    def test_of_another_precision_or_quite_another_batch_is_rough(self) -> None:
        learn(trained())
        for other in ({"precision": "fp32"}, {"batch": 64}, {"batch": 4}):
            assert seconds_per_image(replace(WANTED, **other), "t4") == (pytest.approx(0.02), True)
        near, automatic = replace(WANTED, batch=8), replace(WANTED, batch=-1)
        assert [seconds_per_image(w, "t4")[1] for w in (near, automatic)] == [False, False]

    def test_of_the_wanted_precision_comes_first(self) -> None:
        learn(trained())
        exact = trained(amp=False)
        exact.epochs.update(seconds=80.0)
        learn(exact)
        wanted = replace(WANTED, precision="fp32", batch=8)
        assert seconds_per_image(wanted, "t4") == (pytest.approx(0.08), False)

    def test_of_a_run_without_an_epoch_is_none(self) -> None:
        learn(make_run(environment={"batch": 4, "architecture": "yolo11n"}, device="CPU"))
        learn(make_run())
        assert not Experience.objects.exists()


class TestBefore:
    def test_a_card_that_was_trained_on_tells_time_memory_and_cost(
        self, project: Project, settings: Any
    ) -> None:
        settings.GPU_PRICES = {"t4": 0.36}
        learn(trained())
        make_worker(**T4)
        make_worker(**T4)
        found = ahead(project)
        (card,) = found.cards
        assert found.is_ready and not found.findings
        assert (card.gpu_class, card.workers, card.needed_mb) == ("t4", 2, 3003)
        assert card.seconds == pytest.approx(10 * 500 * 0.02)
        assert card.cost == pytest.approx(0.01) and not card.is_rough

    def test_a_card_that_was_not_tells_an_estimate_of_its_memory_alone(
        self, project: Project
    ) -> None:
        make_worker(**T4)
        (card,) = ahead(project).cards
        assert card.seconds is None and card.cost is None
        assert card.needed_mb and 2_000 < card.needed_mb < 8_000

    def test_a_batch_that_does_not_fit_is_told_with_one_that_does(self, project: Project) -> None:
        make_worker(**T4)
        found = ahead(project, base_model="yolo11x", options={"batch": 64})
        assert codes(found) == {"batch_too_large": "warn"}
        (card,) = found.cards
        smaller = ahead(project, base_model="yolo11x", options={"batch": card.largest_batch})
        assert codes(smaller) == {}

    @pytest.mark.parametrize("failed", [48, 16, 8])
    def test_a_batch_that_ran_out_of_memory_is_not_recommended_again(
        self, project: Project, failed: int
    ) -> None:
        make_worker(**T4)
        ran_out(batch=failed)
        found = ahead(project)
        (card,) = found.cards
        assert card.failed_batch == failed
        assert card.largest_batch is not None and card.largest_batch < failed
        if failed > 16:
            return
        assert codes(found) == {"batch_failed_before": "warn"}
        with translation.override("vi"):
            told = found.findings[0].as_json()
        assert f"{failed} ảnh" in told["message"] and f"{card.largest_batch} ảnh" in told["hint"]

    def test_where_not_even_one_picture_fits_no_batch_is_recommended(
        self, project: Project
    ) -> None:
        make_worker(**T4)
        ran_out(batch=1)
        found = ahead(project)
        assert codes(found) == {"no_batch_fits": "warn"} and found.cards[0].largest_batch is None

    def test_what_was_measured_bounds_what_is_recommended(self, project: Project) -> None:
        make_worker(**T4)
        run = trained()
        run.epochs.update(gpu_memory_mb=14_000)
        learn(run)
        found = ahead(project)
        assert codes(found) == {"batch_tight": "note"}
        assert found.cards[0].largest_batch == 12

    def test_precision_and_changing_sizes_make_the_batch_smaller(self, project: Project) -> None:
        make_worker(**T4)
        ways = ({}, {"multi_scale": 0.5}, {"amp": "fp32"})
        fits = [ahead(project, options=way).cards[0].largest_batch or 0 for way in ways]
        assert fits[0] > fits[1] and fits[0] > fits[2]

    def test_a_time_limit_bounds_time_and_cost(self, project: Project, settings: Any) -> None:
        settings.GPU_PRICES = {"t4": 1.0}
        make_worker(**T4)
        (unknown,) = ahead(project, options={"time_limit": 2}).cards
        assert (unknown.seconds, unknown.is_limited, unknown.cost) == (7200, True, 2.0)
        learn(trained())
        (long,) = ahead(project, options={"time_limit": 2, "epochs": 5000}).cards
        assert (long.seconds, long.is_limited, long.cost) == (7200, True, 2.0)
        (short,) = ahead(project, options={"time_limit": 2}).cards
        assert short.seconds == pytest.approx(100) and not short.is_limited

    def test_weights_that_cannot_be_had_are_told(self, project: Project, settings: Any) -> None:
        make_worker(**CPU)
        assert codes(ahead(project, base_model="yolo26n")) == {"weights_missing": "warn"}
        assert codes(ahead(project, base_model="yolo26n-scratch")) == {}
        own = make_model(project, architecture="yolo26n")
        assert codes(ahead(project, base_model=str(own.pk), start_model=own)) == {}
        settings.WEIGHTS_URL = "https://example.test/"
        assert codes(ahead(project, base_model="yolo26n")) == {}

    def test_a_full_queue_of_the_project_stops_it(self, project: Project, settings: Any) -> None:
        settings.PROJECT_WAITING = 1
        make_worker(**CPU)
        assert ahead(project).is_ready
        make_run(project, status=Status.QUEUED)
        assert codes(ahead(project)) == {"too_many_waiting": "stop"}

    def test_a_large_model_without_a_card_is_warned_of(self, project: Project) -> None:
        make_worker(**CPU)
        assert codes(ahead(project, base_model="yolo11x")) == {"large_on_cpu": "warn"}
        make_worker(**T4)
        assert codes(ahead(project, base_model="yolo11x", options={"batch": 4})) == {}

    def test_frozen_layers_from_scratch_are_warned_of(self, project: Project) -> None:
        make_worker(**CPU)
        assert codes(ahead(project, options={"freeze": 10})) == {}
        found = ahead(project, base_model="yolo11n-scratch", options={"freeze": 10})
        assert codes(found) == {"frozen_from_scratch": "warn"}

    def test_no_worker_and_no_worker_of_the_class_are_told(self, project: Project) -> None:
        assert codes(ahead(project)) == {"waits_for_worker": "warn"}
        make_worker(**CPU)
        assert codes(ahead(project)) == {}
        assert codes(ahead(project, gpu_class="a100")) == {"waits_for_class": "warn"}

    def test_workers_that_take_nothing_do_not_count(self, project: Project) -> None:
        make_worker(**T4, drain="after")
        make_worker(**T4, last_seen=timezone.now() - timezone.timedelta(hours=1))
        make_worker(**T4, queue="imports")
        assert not ahead(project).cards

    def test_data_that_cannot_be_trained_on_stops_it(self, project: Project) -> None:
        version = make_version(make_dataset(project), val_images=0)
        found = ahead(project, version=version)
        assert not found.is_ready
        assert codes(found)["version_cannot_train"] == "stop"

    def test_an_automatic_batch_has_no_size_to_judge(self, project: Project) -> None:
        make_worker(**T4)
        found = ahead(project, options={"batch": -1})
        assert codes(found) == {} and found.cards[0].needed_mb is None


def test_the_api_tells_the_same_and_starts_nothing(
    project: Project, editor: User, viewer: User, api: ClientFactory
) -> None:
    learn(trained())
    make_worker(**T4)
    version = make_version(make_dataset(project))
    body = {
        "project": str(project.pk),
        "dataset_version": str(version.pk),
        "base_model": "yolo11n",
        "epochs": 10,
    }
    before = TrainingRun.objects.count()
    address = "/api/v1/training-runs/preflight/"
    answer = api(editor).post(address, body, format="json")
    assert answer.status_code == 200, answer.json()
    told = answer.json()
    assert told["is_ready"] and told["findings"] == [] and told["currency"] == "USD"
    assert told["cards"][0]["seconds"] == pytest.approx(10 * 8 * 0.02)
    assert TrainingRun.objects.count() == before
    wrong = api(editor).post(address, {**body, "epochs": 0}, format="json")
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["field"] == "epochs"
    frozen = {**body, "base_model": "yolo12n", "advanced": {"freeze": 22}}
    wrong = api(editor).post(address, frozen, format="json")
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["field"] == "freeze"
    assert api(viewer).post(address, body, format="json").status_code == 403


def test_the_page_tells_it_in_the_readers_words(
    project: Project, editor: User, client: Any
) -> None:
    learn(trained())
    make_worker(**T4)
    make_version(make_dataset(project), train_images=36_000)
    client.force_login(editor)
    page = client.get(f"/projects/{project.pk}/training/new/").content.decode()
    assert "Tesla T4" in page
    assert "nhiều nhất 20 giờ" in page


def test_prices_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVTRAINER_GPU_PRICES", "T4=0.35, a100=3.67")
    assert env.prices() == {"t4": 0.35, "a100": 3.67}
    monkeypatch.setenv("CVTRAINER_GPU_PRICES", "t4")
    with pytest.raises(env.ImproperlyConfigured):
        env.prices()
