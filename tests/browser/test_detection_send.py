"""Choosing pictures and sending them: one detection, then what was found."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from detection.models import Detection
from projects.models import Project
from tests.browser.dropping import drag, drop
from tests.browser.found import OBJECTS, finish, look_at
from tests.browser.material import drawing
from tests.factories import make_model


@pytest.fixture
def worker(transactional_db: None) -> Iterator[None]:
    """Somebody who finds the same objects on every picture that is sent."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            for detection in Detection.objects.filter(status="queued"):
                for image in detection.images.all():
                    look_at(image, OBJECTS)
                finish(detection)
            time.sleep(0.1)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()


def pictures(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"kệ {n}.jpg" for n in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawing(number))
    return paths


def test_pictures_are_sent_and_counted(
    visit: Any, viewer: User, project: Project, worker: None, tmp_path: Path
) -> None:
    model = make_model(project, stage="production")
    page = visit(viewer, language="en").open(f"/projects/{project.pk}/detect/")
    assert page.locator("[data-submit]").is_disabled()
    page.set_input_files("#pictures", pictures(tmp_path, 2))
    page.set_input_files("#camera", pictures(tmp_path, 1))
    assert page.locator(".preview").count() == 3
    page.locator(".preview-remove").last.click()
    page.locator("#threshold").fill("50")
    page.locator("[data-submit]").dblclick()
    page.wait_for_url("**/detections/*/")
    page.locator("[data-total]", has_text="4 objects").wait_for()
    detection = Detection.objects.get()
    assert (detection.model, detection.conf, detection.created_by) == (model, 0.5, viewer)
    assert [image.file_name for image in detection.images.all()] == ["kệ 0.jpg", "kệ 1.jpg"]


def test_pictures_are_dropped_anywhere_on_the_page(
    visit: Any, viewer: User, project: Project, worker: None, tmp_path: Path
) -> None:
    make_model(project)
    paths = pictures(tmp_path, 3)
    notes = tmp_path / "ghi chú.txt"
    notes.write_text("not a picture")
    page = visit(viewer, language="en").open(f"/projects/{project.pk}/detect/")
    dragged = page.locator("body.is-dragging")

    drag(page, "dragEnter", "dragOver", paths=paths, selector="footer")
    dragged.wait_for()
    page.evaluate("dispatchEvent(new DragEvent('dragleave'))")  # Chromium's own tool sends none
    dragged.wait_for(state="detached")
    assert page.locator(".preview").count() == 0

    drop(page, [*paths[:2], notes], selector="footer")
    page.locator(".preview").nth(1).wait_for()
    drop(page, paths[2:], selector=".drop")
    page.locator(".preview").nth(2).wait_for()
    dragged.wait_for(state="detached")
    names = page.locator(".preview-name").all_inner_texts()
    assert names == ["kệ 0.jpg", "kệ 1.jpg", "kệ 2.jpg"]

    page.locator("#threshold").fill("50")
    page.click("[data-submit]")
    page.wait_for_url("**/detections/*/")
    page.locator("[data-total]", has_text="6 objects").wait_for()
    assert [i.file_name for i in Detection.objects.get().images.all()] == names


def test_a_refusal_is_said_in_words_and_the_pictures_stay_chosen(
    visit: Any, viewer: User, project: Project, tmp_path: Path
) -> None:
    model = make_model(project)
    page = visit(viewer, language="en").open(f"/projects/{project.pk}/detect/")
    page.set_input_files("#pictures", pictures(tmp_path, 1))
    model.delete()
    page.click("[data-submit]")
    page.locator("[data-file-error]").wait_for()
    assert len(page.locator("[data-file-error]").inner_text()) > 20
    assert page.locator(".preview").count() == 1
    assert page.locator("[data-submit]").is_enabled()


def test_a_waiting_detection_shows_itself_when_it_is_done(
    visit: Any, viewer: User, project: Project
) -> None:
    from tests.factories import make_detection

    detection = make_detection(project)
    page = visit(viewer).open(f"/detections/{detection.pk}/")
    page.locator("#waiting").wait_for()
    finish(detection)
    page.locator("[data-viewer]:not([aria-busy])").wait_for()
