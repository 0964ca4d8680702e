"""What a person is offered when a run ended badly: each thing does what it says, with one click."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

import training.errors  # noqa: F401  registers the codes
from accounts.models import User
from jobs import errors
from jobs.states import Status
from projects.models import Project
from tests import factories
from tests.personas import ClientFactory
from training import services
from training.models import TrainingRun
from training.remedies import remedies_for

pytestmark = pytest.mark.django_db

URL = "/api/v1/training-runs/"
USED = {"batch": 16, "optimizer": "AdamW", "lr0": 0.002}
#: What is offered of a run that has committed epochs; and of one that has none.
OFFERED = {
    "out_of_memory": (
        ["smaller_batch", "smaller_images", "other_base_model", "finish"],
        ["smaller_batch", "smaller_images", "other_base_model"],
    ),
    "host_out_of_memory": (
        ["smaller_batch", "smaller_images", "finish"],
        ["smaller_batch", "smaller_images"],
    ),
    "shared_memory_full": (["go_on", "finish"], ["go_on"]),
    "disk_full": (["go_on", "finish"], ["go_on"]),
    "device_failed": (["go_on", "finish"], ["go_on"]),
    "diverged": (["lower_rate", "finish"], ["lower_rate"]),
    "data_error": (["import_again", "go_on"], ["import_again", "go_on"]),
    "version_changed": (["import_again"], ["import_again"]),
    "picture_missing": (["import_again", "go_on"], ["import_again", "go_on"]),
    "stored_file_damaged": (["import_again", "go_on"], ["import_again", "go_on"]),
    "weights_missing": (
        ["from_scratch", "other_base_model", "go_on"],
        ["from_scratch", "other_base_model", "go_on"],
    ),
    "weights_unreadable": (
        ["other_base_model", "from_scratch"],
        ["other_base_model", "from_scratch"],
    ),
    "start_model_gone": (["other_base_model"], ["other_base_model"]),
    "trainer_crashed": (["go_on", "smaller_batch", "finish"], ["go_on", "smaller_batch"]),
    "trainer_hung": (["go_on", "finish"], ["go_on"]),
    "trainer_failed": (["go_on", "start_anew", "finish"], ["go_on", "start_anew"]),
    "worker_lost": (["go_on", "finish"], ["go_on"]),
    "storage_away": (["go_on", "finish"], ["go_on"]),
    "database_away": (["go_on", "finish"], ["go_on"]),
    "unsupported_device": (["go_on", "finish"], ["go_on"]),
    "checkpoint_unreadable": (["start_anew"], ["start_anew"]),
    "no_epoch_to_keep": (["go_on", "start_anew"], ["go_on", "start_anew"]),
    "internal": (["go_on", "start_anew", "finish"], ["go_on", "start_anew"]),
}
POSTED = [
    (code, action)
    for code, (actions, _) in OFFERED.items()
    for action in actions
    if action not in {"other_base_model", "import_again"}
]


@pytest.fixture
def client(api: ClientFactory, editor: User) -> APIClient:
    return api(editor)


def failed(project: Project, code: str, **fields: Any) -> TrainingRun:
    fields.setdefault("epoch", 4)
    fields.setdefault("base_model", "yolo11n")
    return factories.make_run(
        project,
        status=Status.FAILED,
        error={"code": code, "params": {}},
        environment=USED,
        options={"batch": 16, "imgsz": 640, "epochs": 50},
        **fields,
    )


def actions_of(client: APIClient, run: TrainingRun) -> dict[str, dict[str, Any]]:
    error = client.get(f"{URL}{run.pk}/").json()["error"]
    return {action["code"]: action for action in error["actions"]}


@pytest.mark.parametrize("code", OFFERED)
def test_each_known_error_has_something_to_do(
    client: APIClient, project: Project, code: str
) -> None:
    assert code in errors._CATALOGUE
    for epoch, expected in zip((4, 0), OFFERED[code], strict=True):
        actions = actions_of(client, failed(project, code, epoch=epoch))
        assert list(actions) == expected
        for action in actions.values():
            assert action["label"] and "{" not in action["label"]


@pytest.mark.parametrize(("code", "action"), POSTED)
def test_each_request_that_is_offered_is_taken(
    client: APIClient, project: Project, code: str, action: str
) -> None:
    run = failed(project, code)
    offered = actions_of(client, run)[action]
    assert offered["method"] == "POST"
    answer = client.post(offered["url"], offered["body"], format="json")
    assert answer.status_code == 202, answer.json()
    assert answer.json()["status"] == "queued"


def test_pages_that_are_offered_are_there(
    client: APIClient, project: Project, editor: User
) -> None:
    browser = Client()
    browser.force_login(editor)
    for code, action in (("data_error", "import_again"), ("start_model_gone", "other_base_model")):
        offered = actions_of(client, failed(project, code))[action]
        assert offered["method"] == "GET"
        assert browser.get(offered["url"]).status_code == 200


def test_a_button_for_settings_that_are_refused_now_says_so(project: Project, editor: User) -> None:
    run = failed(project, "trainer_failed", base_model="yolo12n")
    TrainingRun.objects.filter(pk=run.pk).update(options={**run.options, "freeze": 22})
    browser = Client()
    browser.force_login(editor)
    answer = browser.post(f"/training-runs/{run.pk}/remedy/", {"code": "start_anew"}, follow=True)
    assert answer.status_code == 200 and "YOLO12" in str(next(iter(answer.context["messages"])))
    assert TrainingRun.objects.count() == 1


class TestWhatTheyDo:
    def test_half_the_batch_that_was_used(self, client: APIClient, project: Project) -> None:
        run = failed(project, "out_of_memory")
        offered = actions_of(client, run)["smaller_batch"]
        assert (offered["label"], offered["body"]) == ("Go on with batch 8", {"batch": 8})
        assert client.post(offered["url"], offered["body"], format="json").json()["batch"] == 8
        run.refresh_from_db()
        assert (run.used_options["batch"], run.epoch) == (8, 4)

    def test_smaller_images(self, client: APIClient, project: Project) -> None:
        run = failed(project, "out_of_memory", epoch=0)
        offered = actions_of(client, run)["smaller_images"]
        assert offered["label"] == "Retry with image size 480"
        assert client.post(offered["url"], offered["body"], format="json").json()["imgsz"] == 480

    def test_a_lower_rate_of_the_optimizer_that_was_chosen_in_a_new_run(
        self, client: APIClient, project: Project
    ) -> None:
        run = failed(project, "diverged")
        offered = actions_of(client, run)["lower_rate"]
        assert offered["label"] == "Start anew with an initial learning rate of 0.0002"
        made = client.post(offered["url"], offered["body"], format="json").json()
        assert made["id"] != str(run.pk)
        assert (made["optimizer"], made["lr0"], made["epochs"]) == ("AdamW", 0.0002, 50)

    def test_the_best_model_is_kept_without_another_epoch(
        self, client: APIClient, project: Project
    ) -> None:
        run = failed(project, "diverged")
        offered = actions_of(client, run)["finish"]
        client.post(offered["url"], offered["body"], format="json")
        run.refresh_from_db()
        assert run.stop_requested_at is not None

    def test_nothing_is_made_smaller_than_it_can_be(self, project: Project) -> None:
        run = failed(project, "out_of_memory", epoch=0)
        run.environment, run.options = {"batch": 1}, {**run.options, "batch": 1, "imgsz": 64}
        assert [found.code for found in remedies_for(run)] == ["other_base_model"]

    def test_a_run_whose_start_model_is_gone_cannot_be_repeated(self, project: Project) -> None:
        gone = factories.make_model(project)
        run = failed(project, "trainer_failed", epoch=0, base_model=str(gone.pk))
        assert [found.code for found in remedies_for(run)] == []
        run.epoch = 3  # its checkpoint holds all that it needs
        assert [found.code for found in remedies_for(run)] == ["go_on", "finish"]

    def test_of_a_run_that_was_made_smaller_by_itself_the_halves_are_halved(
        self, project: Project
    ) -> None:
        adjusted = {"batch": 4, "because": "out_of_memory", "batch_before": 8}
        run = failed(project, "out_of_memory", adjusted=adjusted)
        run.environment = {**run.environment, "batch": 4}
        (smaller,) = [r for r in remedies_for(run) if r.code == "smaller_batch"]
        assert smaller.changes == {"batch": 2}
        assert services.duplicate_run(run)["batch"] == 4
        services.resume_run(run=run)
        run.refresh_from_db()
        assert run.adjusted == {"batch": 4}, "stays smaller, and may be halved once more"


class TestGoingOn:
    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            ({"batch": 17}, "batch", "out_of_range"),
            ({"batch": -1}, "batch", "out_of_range"),
            ({"imgsz": 500}, "imgsz", "not_a_multiple"),
            ({"imgsz": "big"}, "imgsz", "not_an_integer"),
            ({"patience": 5001}, "patience", "out_of_range"),
            ({"epochs": 9}, "epochs", "unknown"),
            ({"finish": "maybe"}, "finish", "invalid"),
        ],
    )
    def test_with_what_cannot_be_other_any_more_is_refused(
        self, client: APIClient, project: Project, body: dict[str, Any], field: str, code: str
    ) -> None:
        run = failed(project, "out_of_memory")
        answer = client.post(f"{URL}{run.pk}/resume/", body, format="json")
        assert answer.status_code == 400
        found = {error["field"]: error["code"] for error in answer.json()["errors"]}
        assert found == {field: code}
        run.refresh_from_db()
        assert run.status == Status.FAILED

    def test_to_finish_without_an_epoch_is_refused(
        self, client: APIClient, project: Project
    ) -> None:
        run = failed(project, "diverged", epoch=0)
        answer = client.post(f"{URL}{run.pk}/resume/", {"finish": True}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "no_epoch_to_keep")


class TestPausing:
    def test_frees_its_place_in_the_queue_and_takes_it_again(
        self, client: APIClient, project: Project
    ) -> None:
        first, second = factories.make_run(project), factories.make_run(project)
        hour_ago = first.queued_at - timedelta(hours=1)
        TrainingRun.objects.filter(pk=first.pk).update(queued_at=hour_ago)
        paused = client.post(f"{URL}{first.pk}/pause/").json()
        assert (paused["status"], paused["queue_position"]) == ("queued", None)
        assert paused["paused_at"]
        assert client.get(f"{URL}{second.pk}/").json()["queue_position"] == 1
        on = client.post(f"{URL}{first.pk}/resume/").json()
        assert (on["paused_at"], on["queue_position"]) == (None, 1)
        assert client.get(f"{URL}{second.pk}/").json()["queue_position"] == 2

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (Status.STOPPING, "ending"),
            (Status.SUCCEEDED, "not_active"),
            (Status.FAILED, "not_active"),
            (Status.CANCELED, "not_active"),
        ],
    )
    def test_what_ends_is_a_conflict(
        self, client: APIClient, project: Project, status: Status, code: str
    ) -> None:
        run = factories.make_run(project, status=status)
        answer = client.post(f"{URL}{run.pk}/pause/")
        assert (answer.status_code, answer.json()["code"]) == (409, code)

    def test_goes_on_with_changes_too(self, client: APIClient, project: Project) -> None:
        run = factories.make_run(project, options={"batch": 16})
        client.post(f"{URL}{run.pk}/pause/")
        got = client.post(f"{URL}{run.pk}/resume/", {"batch": 4}, format="json").json()
        assert (got["status"], got["paused_at"], got["batch"]) == ("queued", None, 4)


class TestTheButtons:
    @pytest.fixture
    def browser(self, editor: User) -> Client:
        browser = Client()
        browser.force_login(editor)
        return browser

    def press(self, browser: Client, run: TrainingRun, code: str) -> Any:
        return browser.post(f"/training-runs/{run.pk}/remedy/", {"code": code})

    def test_go_on(self, browser: Client, project: Project) -> None:
        run = failed(project, "out_of_memory")
        answer = self.press(browser, run, "smaller_batch")
        assert answer["Location"] == f"/training-runs/{run.pk}/"
        run.refresh_from_db()
        assert (run.status, run.options["batch"]) == (Status.QUEUED, 8)

    def test_start_anew_pressed_twice_makes_one_run(
        self, browser: Client, project: Project
    ) -> None:
        run = failed(project, "diverged")
        places = {self.press(browser, run, "lower_rate")["Location"] for _ in range(2)}
        (made,) = TrainingRun.objects.exclude(pk=run.pk)
        assert places == {f"/training-runs/{made.pk}/"}
        assert (made.options["lr0"], made.status) == (0.0002, Status.QUEUED)

    @pytest.mark.parametrize("code", ["lower_rate", "other_base_model", "rm -rf", ""])
    def test_that_are_not_there_do_nothing(
        self, browser: Client, project: Project, code: str
    ) -> None:
        run = failed(project, "out_of_memory")
        assert self.press(browser, run, code).status_code == 302
        run.refresh_from_db()
        assert run.status == Status.FAILED
        assert TrainingRun.objects.count() == 1

    @pytest.mark.parametrize("action", ["pause", "remedy"])
    def test_are_not_for_viewers_and_outsiders(
        self, viewer: User, outsider: User, project: Project, action: str
    ) -> None:
        run = factories.make_run(project)
        for user, status in ((viewer, 403), (outsider, 404)):
            browser = Client()
            browser.force_login(user)
            assert browser.post(f"/training-runs/{run.pk}/{action}/").status_code == status
