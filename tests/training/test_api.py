"""The API of step 2: options, runs and models, as clients rely on it."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from jobs import transitions
from jobs.models import JobEvent
from jobs.reporter import Reporter
from jobs.states import Status
from projects.models import Project
from tests import factories
from tests.personas import ClientFactory
from training.models import TrainedModel, TrainingRun
from training.options import BASIC_NAMES, OPTIONS, default_options

pytestmark = pytest.mark.django_db

URL = "/api/v1/training-runs/"
#: The id of no row.
NOWHERE = "00000000-0000-4000-8000-000000000000"
NUMBERS = [option for option in OPTIONS.values() if option.type in {"integer", "number"}]
#: What the contract names of a run; more may be added, none may go.
OF_A_RUN = {
    "id", "project", "dataset_version", "name", "base_model", "epochs", "patience", "batch",
    "imgsz", "optimizer", "lr0", "lrf", "seed", "advanced", "priority", "status",
    "queue_position", "attempt", "progress", "epoch", "best", "device", "worker", "started_at",
    "finished_at", "eta_seconds", "model", "error", "gpu_class", "waits_for",
}  # fmt: skip
OF_A_MODEL = {
    "id", "project", "name", "version", "stage", "training_run", "dataset_version", "classes",
    "imgsz", "metrics", "size", "sha256", "created_at",
}  # fmt: skip


@pytest.fixture
def client(api: ClientFactory, editor: User) -> APIClient:
    return api(editor)


@pytest.fixture
def body(project: Project) -> dict[str, Any]:
    version = factories.make_version(factories.make_dataset(project))
    return {
        "project": str(project.pk),
        "dataset_version": str(version.pk),
        "base_model": "yolo26n-scratch",
    }


def placed(option: Any, value: object) -> dict[str, object]:
    """Return a parameter where a client puts it: advanced ones in their own object."""
    return {option.name: value} if option.group == "basic" else {"advanced": {option.name: value}}


def shown(run: dict[str, Any], name: str) -> object:
    return run[name] if name in run else run["advanced"][name]


def errors_of(answer: Any) -> dict[str, dict[str, str]]:
    assert answer["Content-Type"] == "application/problem+json"
    return {error["field"]: error for error in answer.json()["errors"]}


class TestOptions:
    def test_are_enough_to_draw_the_form(self, client: APIClient) -> None:
        found = client.get("/api/v1/training-options/").json()
        assert [item["name"] for item in found["parameters"]] == list(OPTIONS)
        wanted = {"name", "label", "help", "type", "default", "minimum", "maximum", "choices"}
        for item in found["parameters"]:
            assert {*wanted, "group"} <= set(item)
            assert item["label"] and item["help"] and item["group"] in {"basic", "advanced"}
        names = {item["name"] for item in found["base_models"]}
        assert {"yolo26n", "yolo26n-scratch", "yolo11n", "yolo11n-scratch"} <= names

    def test_are_told_in_the_readers_language(self, client: APIClient) -> None:
        vietnamese = client.get("/api/v1/training-options/", headers={"accept-language": "vi"})
        labels = {item["name"]: item["label"] for item in vietnamese.json()["parameters"]}
        assert labels["optimizer"] == "Phương pháp tối ưu hóa"


class TestNewRun:
    def test_is_accepted_and_waits_with_the_defaults(
        self, client: APIClient, body: dict[str, Any]
    ) -> None:
        answer = client.post(URL, body)
        assert answer.status_code == 202
        run = answer.json()
        assert set(run) >= OF_A_RUN
        assert (run["status"], run["queue_position"], run["attempt"]) == ("queued", 1, 0)
        assert (run["best"], run["model"], run["error"]) == (None, None, None)
        for name, default in default_options().items():
            assert shown(run, name) == default, name
        assert client.get(f"{URL}{run['id']}/").json() == run

    @pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
    def test_takes_the_ends_of_each_range_and_nothing_beyond(
        self, client: APIClient, body: dict[str, Any], option: Any
    ) -> None:
        for value in (option.minimum, option.maximum):
            answer = client.post(URL, {**body, **placed(option, value)})
            assert answer.status_code == 202, answer.json()
            assert shown(answer.json(), option.name) == value
        step = option.multiple_of if option.type == "integer" else 1e-6
        before = TrainingRun.objects.count()
        # -1 is a batch of its own kind: automatic.
        below = option.minimum - (2 if option.special else 1) * step
        below = below if below not in option.special else below - step
        for value in (below, option.maximum + step):
            answer = client.post(URL, {**body, **placed(option, value)})
            assert answer.status_code == 400
            error = errors_of(answer)[option.name]
            assert error["code"] == "out_of_range"
            assert str(option.minimum) in error["detail"] and str(option.maximum) in error["detail"]
        assert TrainingRun.objects.count() == before

    @pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
    def test_refuses_what_is_no_value_at_all(
        self, client: APIClient, body: dict[str, Any], option: Any
    ) -> None:
        for value in ("many", [1], {"a": 1}):
            answer = client.post(URL, {**body, **placed(option, value)}, format="json")
            assert answer.status_code == 400
            assert set(errors_of(answer)) == {option.name}
        assert not TrainingRun.objects.exists()

    def test_takes_an_automatic_batch(self, client: APIClient, body: dict[str, Any]) -> None:
        assert client.post(URL, {**body, "batch": -1}).json()["batch"] == -1

    def test_says_several_things_at_once_in_the_readers_language(
        self, client: APIClient, body: dict[str, Any]
    ) -> None:
        wrong = {**body, "epochs": 0, "imgsz": 650, "optimizer": "Newton"}
        answer = client.post(URL, wrong, headers={"accept-language": "vi"})
        found = errors_of(answer)
        assert {name: error["code"] for name, error in found.items()} == {
            "epochs": "out_of_range",
            "imgsz": "not_a_multiple",
            "optimizer": "not_a_choice",
        }
        assert found["epochs"]["detail"] == "Phải nằm giữa 1 và 5000."

    def test_leaves_a_layer_that_learns(
        self, client: APIClient, body: dict[str, Any], project: Project
    ) -> None:
        own = factories.make_model(project, architecture="yolo12s")
        for base_model in ("yolo12n", str(own.pk)):
            wanted = {**body, "base_model": base_model, "advanced": {"freeze": 22}}
            answer = client.post(URL, wanted, format="json")
            assert answer.status_code == 400
            assert errors_of(answer)["freeze"]["code"] == "out_of_range"
        wanted = {**body, "base_model": "yolo12n", "advanced": {"freeze": 21}}
        assert client.post(URL, wanted, format="json").status_code == 202

    def test_shows_the_final_learning_rate_as_itself(
        self, client: APIClient, body: dict[str, Any]
    ) -> None:
        run = client.post(URL, {**body, "optimizer": "SGD", "lr0": 0.02, "lrf": 0.1}).json()
        assert run["final_learning_rate"] == pytest.approx(0.002)

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [
            ("base_model", "yolo99n", "unknown"),
            ("base_model", "../../etc/passwd", "unknown"),
            ("base_model", NOWHERE, "does_not_exist"),
            ("dataset_version", NOWHERE, "does_not_exist"),
            ("dataset_version", "1", "invalid"),
            ("project", NOWHERE, "does_not_exist"),
            ("priority", 101, "max_value"),
            ("gpu_class", "../a100", "invalid"),
            ("gpu_class", "a" * 31, "invalid"),
            ("advanced", [1], "not_an_object"),
            ("advanced", {"save_dir": "/"}, "unknown"),
        ],
    )
    def test_with_a_wrong_field_names_it_and_makes_nothing(
        self, client: APIClient, body: dict[str, Any], name: str, value: object, code: str
    ) -> None:
        answer = client.post(URL, {**body, name: value}, format="json")
        assert answer.status_code == 400
        field = name if code != "unknown" or name != "advanced" else "save_dir"
        assert {key: error["code"] for key, error in errors_of(answer).items()} == {field: code}
        assert not TrainingRun.objects.exists()

    def test_on_a_version_that_is_not_ready_says_so(
        self, client: APIClient, body: dict[str, Any], project: Project
    ) -> None:
        waiting = factories.make_version(factories.make_dataset(project), status="importing")
        answer = client.post(URL, {**body, "dataset_version": str(waiting.pk)})
        assert (answer.status_code, answer.json()["code"]) == (409, "version_not_ready")
        empty = factories.make_version(factories.make_dataset(project), val_images=0)
        answer = client.post(URL, {**body, "dataset_version": str(empty.pk)})
        assert (answer.status_code, answer.json()["code"]) == (400, "version_cannot_train")
        assert not TrainingRun.objects.exists()

    def test_starts_from_a_model_of_the_project_alone(
        self, client: APIClient, body: dict[str, Any], project: Project
    ) -> None:
        own, foreign = factories.make_model(project), factories.make_model()
        assert client.post(URL, {**body, "base_model": str(own.pk)}).status_code == 202
        answer = client.post(URL, {**body, "base_model": str(foreign.pk)})
        assert errors_of(answer)["base_model"]["code"] == "does_not_exist"

    def test_twice_with_one_key_is_one(self, client: APIClient, body: dict[str, Any]) -> None:
        first = client.post(URL, body, headers={"idempotency-key": "one"})
        again = client.post(URL, body, headers={"idempotency-key": "one"})
        assert first.json() == again.json()
        other = client.post(URL, {**body, "epochs": 5}, headers={"idempotency-key": "one"})
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
        assert TrainingRun.objects.count() == 1

    def test_needs_scope_and_role(
        self, api: ClientFactory, editor: User, viewer: User, body: dict[str, Any]
    ) -> None:
        assert api(editor, "read").post(URL, body).status_code == 403
        assert api(viewer).post(URL, body).status_code == 403
        assert api(editor, "train").post(URL, body).status_code == 202


class TestSteering:
    """Stop, cancel, resume: each only where it means something."""

    @pytest.mark.parametrize(
        ("action", "status", "answer"),
        [
            ("stop", Status.QUEUED, "not_running"),
            ("stop", Status.RUNNING, "stopping"),
            ("stop", Status.STOPPING, "stopping"),
            ("stop", Status.SUCCEEDED, "not_running"),
            ("cancel", Status.QUEUED, "canceled"),
            ("cancel", Status.RUNNING, "running"),
            ("cancel", Status.FAILED, "not_active"),
            ("resume", Status.RUNNING, "not_resumable"),
            ("resume", Status.SUCCEEDED, "not_resumable"),
            ("resume", Status.FAILED, "queued"),
            ("resume", Status.CANCELED, "queued"),
        ],
    )
    def test_what_a_wish_leads_to(
        self, client: APIClient, project: Project, action: str, status: Status, answer: str
    ) -> None:
        run = factories.make_run(project, status=status)
        got = client.post(f"{URL}{run.pk}/{action}/")
        if got.status_code == 409:
            assert got.json()["code"] == answer
            run.refresh_from_db()
            assert run.status == status
        else:
            assert (got.status_code, got.json()["status"]) == (202, answer)

    def test_a_resumed_run_forgets_its_error_and_its_end(
        self, client: APIClient, project: Project
    ) -> None:
        error = {"code": "trainer_crashed", "params": {}}
        run = factories.make_run(project, status=Status.FAILED, error=error, epoch=4)
        got = client.post(f"{URL}{run.pk}/resume/").json()
        assert (got["error"], got["finished_at"], got["epoch"]) == (None, None, 4)

    def test_a_duplicate_is_a_body_that_is_taken(
        self, client: APIClient, body: dict[str, Any]
    ) -> None:
        wanted = {**body, "epochs": 7, "advanced": {"degrees": 5}, "name": "Again"}
        first = client.post(URL, wanted).json()
        again = client.post(f"{URL}{first['id']}/duplicate/").json()
        assert TrainingRun.objects.count() == 1
        second = client.post(URL, again, format="json").json()
        assert second["id"] != first["id"]
        for name in ("name", "base_model", "dataset_version", "advanced", *BASIC_NAMES):
            assert second[name] == first[name], name

    def test_the_queue_is_shown_as_it_is(
        self, client: APIClient, body: dict[str, Any], api: ClientFactory, admin: User
    ) -> None:
        idle = client.post(URL, {**body, "priority": -5}).json()["id"]
        first, second = (client.post(URL, body).json()["id"] for _ in range(2))
        factories.make_member(TrainingRun.objects.get(pk=first).project, admin)
        urgent = api(admin).post(URL, {**body, "priority": 5}).json()["id"]
        places = {run["id"]: run["queue_position"] for run in client.get(URL).json()["results"]}
        assert places == {urgent: 1, first: 2, second: 3, idle: 4}

    def test_only_staff_go_before_all_projects(
        self, client: APIClient, body: dict[str, Any], api: ClientFactory, admin: User
    ) -> None:
        wanted = {**body, "priority": 1}
        answer = client.post(URL, wanted, headers={"accept-language": "vi"})
        assert (answer.status_code, answer.json()["code"]) == (403, "priority_for_staff")
        assert "quản trị viên" in answer.json()["detail"]
        project = Project.objects.get(pk=body["project"])
        factories.make_member(project, admin)
        confined = api(admin, "read", "train", project=project).post(URL, wanted)
        assert confined.json()["code"] == "priority_for_staff"
        assert not TrainingRun.objects.exists()
        run = api(admin).post(URL, wanted).json()
        assert run["priority"] == 1
        again = client.post(f"{URL}{run['id']}/duplicate/").json()
        assert again["priority"] == 0, "it was granted to that run alone"
        assert client.post(URL, again, format="json").status_code == 202
        repeated = client.post(f"{URL}{run['id']}/repeat/").json()
        assert repeated["priority"] == 0

    def test_a_run_asks_for_a_card_and_says_what_it_waits_for(
        self, client: APIClient, body: dict[str, Any]
    ) -> None:
        run = client.post(URL, {**body, "gpu_class": "A100"}).json()
        assert (run["gpu_class"], run["queue_position"]) == ("a100", 1)
        assert run["waits_for"]["code"] == "waits_for_worker"
        factories.make_worker(gpu_class="t4")
        reason = client.get(f"{URL}{run['id']}/").json()["waits_for"]
        assert reason["code"] == "waits_for_class"
        assert "a100" in reason["message"] and reason["hint"]
        assert client.post(f"{URL}{run['id']}/duplicate/").json()["gpu_class"] == "a100"
        factories.make_worker(gpu_class="a100")
        assert client.get(f"{URL}{run['id']}/").json()["waits_for"] is None

    def test_more_than_may_wait_are_refused_in_words(
        self, client: APIClient, body: dict[str, Any], settings: Any
    ) -> None:
        settings.PROJECT_WAITING = 1
        assert client.post(URL, body).status_code == 202
        answer = client.post(URL, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_waiting")
        assert TrainingRun.objects.count() == 1


class TestReading:
    def test_runs_are_filtered_by_project_and_status(
        self, client: APIClient, project: Project
    ) -> None:
        run = factories.make_run(project, status=Status.FAILED)
        factories.make_run(project)
        factories.make_run()
        assert client.get(URL).json()["count"] == 2
        found = client.get(URL, {"project": str(project.pk), "status": "failed"}).json()
        assert [row["id"] for row in found["results"]] == [str(run.pk)]
        assert client.get(URL, {"status": "lost"}).status_code == 400

    def test_metrics_are_one_row_an_epoch(self, client: APIClient, project: Project) -> None:
        run = factories.make_run(project, status=Status.RUNNING)
        for epoch in (2, 1):
            run.epochs.create(
                epoch=epoch,
                attempt=1,
                train={"box_loss": 1.5},
                val={"map50": 0.5},
                lr=0.01,
                seconds=2.0,
                images_per_second=50.0,
                gpu_memory_mb=None,
                machine={"gpu_use": 91.5, "memory_mb": 2048.0},
            )
        rows = client.get(f"{URL}{run.pk}/metrics/").json()["results"]
        assert [row["epoch"] for row in rows] == [1, 2]
        assert rows[0] == {
            "epoch": 1,
            "train": {"box_loss": 1.5},
            "val": {"map50": 0.5},
            "lr": 0.01,
            "seconds": 2.0,
            "images_per_second": 50.0,
            "gpu_memory_mb": None,
            "gpu_use": 91.5,
            "gpu_memory_used_mb": None,
            "gpu_memory_total_mb": None,
            "gpu_temperature": None,
            "gpu_power": None,
            "cpu_use": None,
            "memory_mb": 2048.0,
        }

    def test_log_lines_are_read_from_where_one_left_off(
        self, client: APIClient, project: Project
    ) -> None:
        run = factories.make_run(project)
        claimed = transitions.claim(TrainingRun, str(run.pk), worker="w")
        assert claimed is not None
        reporter = Reporter(claimed)
        for number in range(5):
            reporter.log(f"line {number}")
        reporter.flush(is_last=True)
        first = client.get(f"{URL}{run.pk}/logs/").json()
        texts = [line["text"] for line in first["lines"]]
        assert texts[-5:] == [f"line {number}" for number in range(5)]
        assert set(first["lines"][0]) >= {"seq", "at", "level", "text"}
        behind = first["lines"][-2]["seq"]
        rest = client.get(f"{URL}{run.pk}/logs/", {"after": behind}).json()
        assert [line["text"] for line in rest["lines"]] == ["line 4"]
        nothing = client.get(f"{URL}{run.pk}/logs/", {"after": rest["next"]}).json()
        assert (nothing["lines"], nothing["next"]) == ([], rest["next"])
        assert run.events.filter(type=JobEvent.Type.LOG).count() >= 5

    def test_artifacts_are_listed_and_fetched(self, client: APIClient, project: Project) -> None:
        artifact = factories.make_artifact(factories.make_run(project))
        (row,) = client.get(f"{URL}{artifact.run_id}/artifacts/").json()
        assert set(row) == {"name", "kind", "size", "url"}
        answer = client.get(row["url"])
        assert answer.status_code == 200
        assert "attachment" in answer["Content-Disposition"]

    def test_a_model_shows_what_the_contract_names(
        self, client: APIClient, project: Project
    ) -> None:
        model = factories.make_model(project)
        found = client.get(f"/api/v1/models/{model.pk}/").json()
        assert set(found) >= OF_A_MODEL
        assert found["stage"] == "none"
        listed = client.get("/api/v1/models/", {"project": str(project.pk), "stage": "none"})
        assert listed.json()["results"] == [found]

    def test_a_project_has_one_model_in_use(self, client: APIClient, project: Project) -> None:
        old, new = factories.make_model(project), factories.make_model(project)
        for model in (old, new):
            answer = client.patch(f"/api/v1/models/{model.pk}/", {"stage": "production"})
            assert answer.status_code == 200
        stages = dict(TrainedModel.objects.values_list("pk", "stage"))
        assert stages == {old.pk: "archived", new.pk: "production"}

    def test_weights_come_with_their_fingerprint_and_no_other_format_yet(
        self, client: APIClient, project: Project
    ) -> None:
        model = factories.make_model(project)
        answer = client.get(f"/api/v1/models/{model.pk}/download/")
        assert answer["ETag"].strip('"') == model.sha256
        assert len(b"".join(answer.streaming_content)) == model.size
        other = client.get(f"/api/v1/models/{model.pk}/download/", {"format": "onnx"})
        assert (other.status_code, other.json()["code"]) == (409, "not_exported")

    def test_outsiders_find_nothing(
        self, api: ClientFactory, outsider: User, project: Project
    ) -> None:
        run, model = factories.make_run(project), factories.make_model(project)
        client = api(outsider)
        assert client.get(URL).json()["count"] == 0
        for path in (f"training-runs/{run.pk}/", f"models/{model.pk}/"):
            assert client.get(f"/api/v1/{path}").status_code == 404

    def test_a_run_takes_few_queries(self, client: APIClient, project: Project) -> None:
        run = factories.make_run(project)
        with CaptureQueriesContext(connection) as taken:
            client.get(f"{URL}{run.pk}/")
        assert len(taken) <= 8
