"""An import by hand: choose a ZIP, see it go, see what came in."""

from pathlib import Path
from typing import Any

from accounts.models import User
from datasets.models import DatasetVersion, Import
from projects.models import Project
from tests.browser.dropping import drop
from tests.browser.material import make_zip
from tests.services.programs import Programs


def test_a_zip_becomes_pictures_with_boxes(
    visit: Any, editor: User, project: Project, programs: Programs, tmp_path: Path
) -> None:
    programs.worker("imports")
    visitor = visit(editor)
    page = visitor.open(f"/projects/{project.pk}/data/")
    page.click("main a.btn-primary")
    page.wait_for_url("**/import/")
    page.wait_for_load_state("networkidle")
    page.set_input_files("input[type=file]", make_zip(tmp_path))
    page.wait_for_function("document.querySelector('[name=dataset_name]').value === 'Kệ bia'")
    page.uncheck("[name=review]")
    page.click("[data-submit] button")
    page.wait_for_url("**/imports/*/")
    page.wait_for_selector("#job [data-status=succeeded]", timeout=60_000)
    assert page.locator("#job .tile").count() == 8
    assert "is-done" in (page.locator("#steps .step >> nth=0").get_attribute("class") or "")
    page.evaluate("document.querySelector('[data-log]').open = true")
    page.locator("[data-log-lines] div").first.wait_for()
    assert page.locator("#toasts .notice").count() == 0


def test_a_zip_is_dropped_anywhere_on_the_page(
    visit: Any, editor: User, project: Project, programs: Programs, tmp_path: Path
) -> None:
    programs.worker("imports")
    archive, notes = make_zip(tmp_path), tmp_path / "notes.txt"
    notes.write_text("not a ZIP")
    page = visit(editor).open(f"/projects/{project.pk}/import/")

    drop(page, [notes], selector="footer")
    page.locator("[data-file-error]").wait_for()

    drop(page, [archive], selector="footer")
    page.locator("[data-file-error]").wait_for(state="hidden")
    assert page.locator("[data-drop-name]").inner_text() == "Kệ bia.zip"
    assert page.input_value("[name=dataset_name]") == "Kệ bia"
    page.click("[data-submit] button")
    page.wait_for_url("**/imports/*/")
    page.wait_for_selector("#job [data-status=succeeded]", timeout=60_000)
    assert Import.objects.get().file_name == "Kệ bia.zip"


def test_what_came_in_can_be_thrown_away_instead_of_confirmed(
    visit: Any, editor: User, project: Project, programs: Programs, tmp_path: Path
) -> None:
    programs.worker("imports")
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    page.wait_for_load_state("networkidle")
    page.set_input_files("input[type=file]", make_zip(tmp_path))
    page.wait_for_function("document.querySelector('[name=dataset_name]').value === 'Kệ bia'")
    page.click("[data-submit] button")
    page.wait_for_selector("#job [data-status=succeeded]", timeout=60_000)
    assert "is-check" in (page.locator("#steps .step >> nth=0").get_attribute("class") or "")
    page.click("main header a.btn-primary")
    page.wait_for_url("**/review/")
    page.click("details.fold summary")
    page.click("details.fold button.btn-danger")
    page.wait_for_url("**/data/")
    assert DatasetVersion.objects.count() == 0


def test_what_is_wrong_with_a_file_is_said_before_it_is_sent(
    visit: Any, editor: User, project: Project, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a ZIP")
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    page.set_input_files("input[type=file]", text)
    assert page.locator("[data-file-error]").is_visible()
    page.click("[data-submit] button")
    assert page.locator("[data-sending]").is_hidden()


def test_what_is_wrong_with_the_form_is_said_beside_the_field(
    visit: Any, editor: User, project: Project, tmp_path: Path
) -> None:
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    page.set_input_files("input[type=file]", make_zip(tmp_path))
    page.fill("[name=split_percent]", "150")
    page.click("[data-submit] button")
    page.wait_for_selector("[name=split_percent][aria-invalid=true]")
    assert page.evaluate("document.querySelector('input[type=file]').files.length") == 1


def test_a_failed_import_says_why_and_what_to_do(
    visit: Any, editor: User, project: Project, programs: Programs, tmp_path: Path
) -> None:
    programs.worker("imports")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and nothing behind it")
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    page.set_input_files("input[type=file]", broken)
    page.click("[data-submit] button")
    page.wait_for_url("**/imports/*/")
    page.wait_for_selector("#job [role=alert]", timeout=60_000)
    assert page.locator("#job [role=alert] a.btn-primary").count() == 1
