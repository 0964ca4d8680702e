"""The form of a new training helps while it is typed into, and starts one run, however sent."""

from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from projects.models import Project
from tests.factories import make_dataset, make_run, make_version, make_worker
from training.models import TrainingRun


@pytest.fixture
def form(visit: Any, editor: User, project: Project) -> Page:
    """The form of a project with a version to train on."""
    make_version(make_dataset(project))
    page: Page = visit(editor, language="en").open(f"/projects/{project.pk}/training/new/")
    return page


def test_the_final_learning_rate_follows_the_typing(form: Page) -> None:
    form.select_option("[name=optimizer]", "SGD")
    form.fill("[name=lr0]", "0,02")
    form.fill("[name=lrf]", "0.1")
    assert "0.002" in form.locator("[data-final-rate]").inner_text()


def test_what_has_no_effect_is_locked_and_says_why(form: Page) -> None:
    rate = form.locator("[name=lr0]")
    note = form.locator("[data-option-name=lr0] [data-off]")
    assert rate.evaluate("field => field.readOnly")
    assert note.is_visible()
    form.select_option("[name=optimizer]", "AdamW")
    note.wait_for(state="hidden")
    assert not rate.evaluate("field => field.readOnly")


def test_what_is_ticked_or_chosen_is_locked_too(visit: Any, editor: User, project: Project) -> None:
    make_version(make_dataset(project))
    make_worker(gpu_class="cpu")
    page = visit(editor, language="en").open(f"/projects/{project.pk}/training/new/")
    page.locator("details:has([name=cos_lr]) > summary").first.click()
    precision, cosine = page.locator("[name=amp]"), page.locator("[name=cos_lr]")
    assert precision.locator("option:not([disabled])").count() == 1
    page.fill("[name=lrf]", "1")
    page.locator("[data-option-name=cos_lr] [data-off]").wait_for()
    cosine.click(force=True)
    assert not cosine.is_checked()
    page.fill("[name=lrf]", "0.1")
    page.locator("[data-option-name=cos_lr] [data-off]").wait_for(state="hidden")
    cosine.click()
    assert cosine.is_checked()


def test_a_wrong_value_is_told_beside_its_field(form: Page) -> None:
    form.fill("[name=epochs]", "0")
    error = form.locator("[data-option-name=epochs] .field-error")
    error.wait_for()
    assert "5000" in error.inner_text()
    assert form.locator("[name=epochs]").get_attribute("aria-invalid") == "true"
    form.fill("[name=epochs]", "3")
    error.wait_for(state="hidden")


def test_a_refused_form_comes_back_with_its_values_and_errors(form: Page) -> None:
    form.fill("[name=imgsz]", "65")
    form.click("button.btn-primary")
    error = form.locator("[data-option-name=imgsz] .field-error")
    error.wait_for()
    assert form.locator("[name=imgsz]").input_value() == "65"
    assert TrainingRun.objects.count() == 0


def test_pressing_twice_starts_one_training(form: Page) -> None:
    form.fill("[name=epochs]", "2")
    form.locator("button.btn-primary").dblclick()
    form.wait_for_url("**/training-runs/*/")
    run = TrainingRun.objects.get()
    assert run.options["epochs"] == 2
    assert form.url.endswith(f"/training-runs/{run.pk}/")


def test_the_settings_of_another_run_are_filled_in(
    visit: Any, editor: User, project: Project
) -> None:
    run = make_run(
        project,
        name="Lượt 1",
        options={"epochs": 7, "optimizer": "SGD", "lr0": 0.003, "cos_lr": True},
    )
    page = visit(editor).open(f"/projects/{project.pk}/training/new/?from={run.pk}")
    values = {name: page.locator(f"[name={name}]").input_value() for name in ("epochs", "lr0")}
    assert values == {"epochs": "7", "lr0": "0.003"}
    assert page.locator("[name=base_model]").input_value() == run.base_model
    assert page.locator("[name=cos_lr]").is_checked()


def test_a_preset_fills_in_the_settings_and_follows_them(form: Page) -> None:
    quick = form.locator("[data-preset=quick]")
    quick.click()
    assert quick.get_attribute("aria-pressed") == "true"
    assert form.locator("[name=patience]").input_value() == "0"
    assert form.locator("[name=epochs]").input_value() == "50"
    form.fill("[name=epochs]", "7")
    assert quick.get_attribute("aria-pressed") == "false"
    form.click("button.btn-primary")
    form.wait_for_url("**/training-runs/*/")
    run = TrainingRun.objects.get()
    assert (run.options["epochs"], run.options["patience"]) == (7, 0)
