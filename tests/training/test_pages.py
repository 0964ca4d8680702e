"""The pages of step 2 to a browser without scripts: who may do what, once, and at what cost."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from projects.models import Project
from tests.factories import make_dataset, make_model, make_run, make_version, make_worker
from training.forms import default_base_model, plain_number
from training.models import EpochMetrics, TrainingRun
from training.options import OPTIONS

NUMBERS = [option for option in OPTIONS.values() if option.type in {"integer", "number"}]
CHOICES = [option for option in OPTIONS.values() if option.type == "choice"]
SWITCHES = [option for option in OPTIONS.values() if option.type == "boolean"]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def filled_in(version: Any, **values: Any) -> dict[str, Any]:
    """Return the form as a browser sends it."""
    options = {name: option.default for name, option in OPTIONS.items() if option.default}
    form = {
        "key": str(uuid4()),
        "dataset_version": str(version.pk),
        "base_model": "yolo11n-scratch",
    }
    return {**form, **options, **values}


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_a_form_sent_twice_starts_one_training(editor: User, project: Project) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    form = filled_in(version, epochs="3")
    path = f"/projects/{project.pk}/training/new/"
    answers = [client.post(path, form) for _ in range(2)]
    run = TrainingRun.objects.get()
    assert [answer["Location"] for answer in answers] == [f"/training-runs/{run.pk}/"] * 2
    assert (run.options["epochs"], run.base_model) == (3, "yolo11n-scratch")


def test_the_card_is_asked_for_where_there_are_several_kinds(
    editor: User, project: Project
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    path = f"/projects/{project.pk}/training/new/"
    make_worker(gpu_class="t4")
    assert "gpu_class" not in client.get(path).context["form"].fields
    make_worker(gpu_class="a100")
    make_worker(gpu_class="k80", state="refused")
    field = client.get(path).context["form"].fields["gpu_class"]
    assert [value for value, _ in field.choices] == ["", "a100", "t4"]
    assert client.post(path, filled_in(version, gpu_class="h100")).status_code == 422
    client.post(path, filled_in(version, gpu_class="a100"))
    run = TrainingRun.objects.get()
    assert run.gpu_class == "a100"
    assert client.get(f"{path}?from={run.pk}").context["form"].initial["gpu_class"] == "a100"


def test_a_place_in_the_queue_is_chosen_at_the_start_and_changed_while_it_waits(
    editor: User, admin: User, viewer: User, project: Project
) -> None:
    version = make_version(make_dataset(project))
    signed_in(editor).post(
        f"/projects/{project.pk}/training/new/", filled_in(version, priority="-10")
    )
    run = TrainingRun.objects.get()
    page, path = f"/training-runs/{run.pk}/", f"/training-runs/{run.pk}/priority/"

    def offered(user: User) -> list[int]:
        return [value for value, _label in signed_in(user).get(page).context["priorities"]]

    def change(user: User, priority: str) -> int:
        signed_in(user).post(path, {"priority": priority})
        run.refresh_from_db()
        return run.priority

    assert (run.priority, offered(editor)) == (-10, [0, -10])
    assert change(editor, "0") == 0
    assert change(editor, "10") == 0, "only administrators let a training go before all others"
    assert change(viewer, "-10") == 0
    assert offered(admin) == [0, -10, 10]
    assert change(admin, "10") == 10
    assert offered(editor) == [0, -10, 10], "it may keep what it was given"
    assert change(editor, "10") == change(editor, "none") == 10
    TrainingRun.objects.update(status=Status.RUNNING)
    assert change(editor, "-10") == 10


def test_a_model_is_trained_further_on_the_newest_pictures_of_its_data(
    editor: User, viewer: User, project: Project
) -> None:
    client, dataset = signed_in(editor), make_dataset(project)
    first = make_version(dataset, number=1)
    newest = make_version(dataset, number=2)
    make_version(make_dataset(project), number=3)
    model = make_model(project, dataset_version=first, imgsz=960)
    page = client.get(f"/models/{model.pk}/").content.decode()
    address = f"/projects/{project.pk}/training/new/?model={model.pk}"
    assert address in page
    assert address not in signed_in(viewer).get(f"/models/{model.pk}/").content.decode()

    form = client.get(address).context["form"]
    shown = [str(form[name].value()) for name in ("dataset_version", "base_model", "imgsz")]
    assert shown == [str(newest.pk), str(model.pk), "960"]
    asked = filled_in(newest, base_model=str(model.pk))
    assert client.post(address, asked).status_code == 302
    run = TrainingRun.objects.get()
    assert (run.start_model, run.dataset_version) == (model, newest)
    stranger = make_model()
    asked = filled_in(newest, base_model=str(stranger.pk))
    assert client.post(address, asked).status_code == 422


def test_a_card_that_no_worker_has_now_stays_wanted_while_the_form_is_typed_into(
    editor: User, project: Project
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    run = make_run(project, gpu_class="a100")
    make_worker(gpu_class="t4", gpu_memory_mb=15_360)
    path = f"/projects/{project.pk}/training/new/"
    assert "gpu_class" in client.get(f"{path}?from={run.pk}").context["form"].fields
    asked = filled_in(version, gpu_class="a100")
    told = client.post(f"/projects/{project.pk}/training/check/", asked).json()["preflight"]
    assert "a100" in told.lower() and "T4" not in told
    client.post(path, asked)
    assert TrainingRun.objects.exclude(pk=run.pk).get().gpu_class == "a100"


def test_a_priority_is_shown_where_there_is_one(viewer: User, project: Project) -> None:
    client = signed_in(viewer)
    for priority, said in ((0, False), (5, True), (-5, True)):
        run = make_run(project, priority=priority)
        page = client.get(f"/training-runs/{run.pk}/").content.decode()
        assert ("data-priority" in page and f"ưu tiên {priority}" in page) == said


def test_another_project_s_run_is_not_opened_by_its_key(
    editor: User, project: Project, outsider: User
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    foreign = make_run()
    client.raise_request_exception = False
    answer = client.post(
        f"/projects/{project.pk}/training/new/", filled_in(version, key=str(foreign.pk))
    )
    assert answer.status_code == 500
    assert TrainingRun.objects.count() == 1


def test_wrong_values_come_back_beside_their_fields(editor: User, project: Project) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    form = filled_in(version, epochs="0", lr0="much", dataset_version=str(uuid4()))
    answer = client.post(f"/projects/{project.pk}/training/new/", form)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"epochs", "lr0", "dataset_version"}
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_the_form_takes_the_ends_of_each_range_and_nothing_beyond(
    editor: User, project: Project, option: Any
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    path = f"/projects/{project.pk}/training/new/"
    for end in (option.minimum, option.maximum):
        answer = client.post(path, filled_in(version, **{option.name: plain_number(end)}))
        assert answer.status_code == 302, answer.context["form"].errors
        run = TrainingRun.objects.get(pk=answer["Location"].split("/")[2])
        assert run.options[option.name] == end
    step = option.multiple_of if option.type == "integer" else 1e-6
    for beyond in (option.minimum - 3 * step, option.maximum + step):
        answer = client.post(path, filled_in(version, **{option.name: plain_number(beyond)}))
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [option.name]
        assert "field-error" in answer.content.decode()
    assert TrainingRun.objects.count() == 2


@pytest.mark.parametrize("option", CHOICES, ids=lambda option: option.name)
def test_the_form_takes_each_choice_and_no_other(
    editor: User, project: Project, option: Any
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    path = f"/projects/{project.pk}/training/new/"
    for value, _label in option.choices:
        client.post(path, filled_in(version, **{option.name: value}))
    made = TrainingRun.objects.values_list(f"options__{option.name}", flat=True)
    assert sorted(made) == sorted(value for value, _label in option.choices)
    answer = client.post(path, filled_in(version, **{option.name: "another"}))
    assert answer.status_code == 422 and option.name in answer.context["form"].errors


@pytest.mark.parametrize("option", SWITCHES, ids=lambda option: option.name)
def test_the_form_takes_a_switch_both_ways(editor: User, project: Project, option: Any) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    path = f"/projects/{project.pk}/training/new/"
    form = filled_in(version)
    form.pop(option.name, None)  # a browser sends nothing for what is off
    client.post(path, form)
    client.post(path, {**form, "key": str(uuid4()), option.name: "on"})
    made = TrainingRun.objects.values_list(f"options__{option.name}", flat=True)
    assert sorted(made) == [False, True]


def test_no_option_is_left_untried() -> None:
    assert {option.name for option in (*NUMBERS, *CHOICES, *SWITCHES)} == set(OPTIONS)


def test_a_version_that_cannot_be_trained_on_is_told_at_its_field(
    editor: User, project: Project
) -> None:
    version = make_version(make_dataset(project), val_images=0)
    answer = signed_in(editor).post(f"/projects/{project.pk}/training/new/", filled_in(version))
    assert list(answer.context["form"].errors) == ["dataset_version"]


def test_a_decimal_comma_is_understood(editor: User, project: Project) -> None:
    version = make_version(make_dataset(project))
    signed_in(editor).post(f"/projects/{project.pk}/training/new/", filled_in(version, lr0="0,02"))
    assert TrainingRun.objects.get().options["lr0"] == 0.02


def test_the_check_says_what_is_wrong_and_what_has_no_effect(
    editor: User, project: Project
) -> None:
    version = make_version(make_dataset(project))
    answer = signed_in(editor).post(
        f"/projects/{project.pk}/training/check/", filled_in(version, epochs="1", batch="0")
    )
    assert set(answer.json()["errors"]) == {"batch"}
    assert {"lr0", "patience", "mosaic"} <= set(answer.json()["no_effect"])


def test_a_pretrained_model_is_offered_first_where_its_weights_are(
    settings: Any, tmp_path: Any
) -> None:
    settings.WEIGHTS_DIR = str(tmp_path)
    assert default_base_model() == "yolo26n-scratch"
    (tmp_path / "yolov8n.pt").touch()
    assert default_base_model() == "yolov8n"
    (tmp_path / "yolo11n.pt").touch()
    assert default_base_model() == "yolo11n"


def test_as_many_layers_may_be_frozen_as_the_chosen_model_has(
    editor: User, project: Project
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    own = make_model(project, architecture="yolo12n")
    check = f"/projects/{project.pk}/training/check/"
    for base_model in ("yolo12s-scratch", str(own.pk)):
        form = filled_in(version, base_model=base_model, freeze="22")
        assert "YOLO12" in client.post(check, form).json()["errors"]["freeze"]
        answer = client.post(f"/projects/{project.pk}/training/new/", form)
        assert list(answer.context["form"].errors) == ["freeze"]
    assert not TrainingRun.objects.exists()
    assert client.post(check, filled_in(version, freeze="22")).json()["errors"] == {}


def test_what_has_no_effect_on_this_data_and_card_is_said(editor: User, project: Project) -> None:
    client = signed_in(editor)
    check = f"/projects/{project.pk}/training/check/"
    one = make_version(make_dataset(project), classes=("can",))
    make_worker(gpu_class="cpu")
    assert {"cls_pw", "amp"} <= set(client.post(check, filled_in(one)).json()["no_effect"])
    make_worker(gpu_class="t4")
    two = make_version(make_dataset(project))
    assert not {"cls_pw", "amp"} & set(client.post(check, filled_in(two)).json()["no_effect"])
    form = filled_in(two, gpu_class="cpu")
    assert "amp" in client.post(check, form).json()["no_effect"]


@pytest.mark.parametrize("action", ["stop", "cancel", "resume"])
def test_viewers_look_and_outsiders_see_nothing(
    viewer: User, outsider: User, project: Project, action: str
) -> None:
    run = make_run(project)
    assert signed_in(viewer).get(f"/training-runs/{run.pk}/").status_code == 200
    assert signed_in(viewer).post(f"/training-runs/{run.pk}/{action}/").status_code == 403
    assert signed_in(outsider).post(f"/training-runs/{run.pk}/{action}/").status_code == 404
    assert signed_in(viewer).get(f"/projects/{project.pk}/training/new/").status_code == 403


def test_a_button_that_came_too_late_is_answered_in_words(editor: User, project: Project) -> None:
    run = make_run(project, status=Status.SUCCEEDED)
    answer = signed_in(editor).post(f"/training-runs/{run.pk}/stop/", follow=True)
    assert answer.status_code == 200
    assert len(list(answer.context["messages"])) == 1


def test_attempts_are_told_with_the_epoch_from_which_they_went_on(
    viewer: User, project: Project
) -> None:
    run = make_run(project)
    for attempt, last in ((1, 3), (2, 5)):
        claimed: Any = transitions.claim(TrainingRun, run.pk, worker="test")
        first = 1 if attempt == 1 else 4
        for epoch in range(first, last + 1):
            EpochMetrics.objects.create(run=run, epoch=epoch, attempt=attempt)
        TrainingRun.objects.filter(pk=run.pk).update(epoch=last)
        transitions.take_back(claimed)
    transitions.claim(TrainingRun, run.pk, worker="test")
    answer = signed_in(viewer).get(f"/training-runs/{run.pk}/")
    assert answer.context["attempts"] == [
        {"number": 2, "after": 3},
        {"number": 3, "after": 5},
    ]


def test_a_worker_that_nobody_hears_any_more_is_told(viewer: User, project: Project) -> None:
    client, run = signed_in(viewer), make_run(project)
    claimed: Any = transitions.claim(TrainingRun, run.pk, worker="test")
    pages = (f"/training-runs/{run.pk}/", f"/projects/{project.pk}/training/", "/")
    said = {"en": "Its worker was last heard of <time", "vi": "Lần cuối nhận được tín hiệu"}
    for path in pages:
        assert "data-silence hidden" in client.get(path).content.decode()

    long_ago = timezone.now() - timedelta(seconds=65)
    TrainingRun.objects.filter(pk=claimed.pk).update(lease_until=long_ago)

    for language, sentence in said.items():
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        for path in pages:
            shown = client.get(path).content.decode()
            assert sentence in shown and "data-silence hidden" not in shown, path


@pytest.mark.parametrize("page", ["training", "models"])
def test_lists_ask_the_same_number_of_questions_however_long(
    viewer: User, project: Project, page: str
) -> None:
    client, path = signed_in(viewer), f"/projects/{project.pk}/{page}/"
    for status in (Status.SUCCEEDED, Status.QUEUED):
        make_run(project, status=status)
    make_model(project)
    few = queries(client, path)
    for status in (Status.SUCCEEDED, Status.QUEUED, Status.FAILED):
        make_model(project, training_run=make_run(project, status=status))
    assert queries(client, path) == few


def test_a_vietnamese_reads_no_english_and_no_decimal_points(
    editor: User, project: Project
) -> None:
    client, version = signed_in(editor), make_version(make_dataset(project))
    run = make_run(project, dataset_version=version, options={"lr0": 0.015})
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "vi"
    form = client.get(f"/projects/{project.pk}/training/new/").content.decode()
    assert "thường là 0,01)" in form and "ảnh huấn luyện và" in form
    assert " usually " not in form and " to 1;" not in form
    assert 'value="0.01"' in form, "the field takes the number as it was"
    assert "0,015" in client.get(f"/training-runs/{run.pk}/").content.decode()
