"""A large ZIP by hand: paused, gone on with, and gone on with after the tab was closed."""

import os
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from datasets.models import Import, Upload
from projects.models import Project
from tests.browser.material import make_zip

_MIB = 1024 * 1024
_PIECE = 16 * _MIB


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A ZIP of three pieces."""
    path = make_zip(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("notes.bin", os.urandom(40 * _MIB))
    return path


def slow(page: Page, bytes_a_second: int) -> None:
    """Make the network of a page slow."""
    session = page.context.new_cdp_session(page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send(
        "Network.emulateNetworkConditions", {**conditions, "uploadThroughput": bytes_a_second}
    )


def begin(page: Page, file: Path) -> None:
    page.set_input_files("input[type=file]", file)
    page.click("[data-submit] button")


def wait_for_a_piece(page: Page) -> Upload:
    """Wait until something has arrived and something is still to come."""
    for _ in range(150):
        upload = Upload.objects.filter(offset__gt=0).first()
        if upload is not None:
            assert not upload.is_complete
            return upload
        page.wait_for_timeout(100)
    raise AssertionError("Nothing arrived.")


def test_it_can_be_paused(visit: Any, editor: User, project: Project, large: Path) -> None:
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    slow(page, 10 * _MIB)
    begin(page, large)
    upload = wait_for_a_piece(page)
    assert page.locator("[data-resumed]").is_hidden()
    page.click("[data-pause]")
    page.wait_for_selector("[data-sending][data-state=paused]")
    time.sleep(1)  # what was under way is counted
    before = Upload.objects.get().offset
    time.sleep(1)
    assert Upload.objects.get().offset == before < upload.length
    page.click("[data-resume]")
    page.wait_for_url("**/imports/*/", timeout=60_000)
    assert Import.objects.get().pk == upload.pk


def test_a_closed_tab_costs_little(visit: Any, editor: User, project: Project, large: Path) -> None:
    visitor = visit(editor)
    page = visitor.open(f"/projects/{project.pk}/import/")
    slow(page, 10 * _MIB)
    begin(page, large)
    upload = wait_for_a_piece(page)
    again = page.context.new_page()
    page.close()
    again.goto(f"{visitor.base}/projects/{project.pk}/import/")
    offsets: list[int] = []
    again.on(
        "request",
        lambda sent: sent.method == "PATCH" and offsets.append(int(sent.headers["upload-offset"])),
    )
    slow(again, 20 * _MIB)
    begin(again, large)
    again.wait_for_selector("[data-resumed]:not([hidden])")
    assert re.search(r"\d+(,\d)? MB", again.inner_text("[data-resumed]"))
    again.wait_for_url("**/imports/*/", timeout=60_000)
    assert Import.objects.get().pk == upload.pk
    assert min(offsets) >= _PIECE


def test_a_lost_connection_is_said_and_gone_over(
    visit: Any, editor: User, project: Project, large: Path
) -> None:
    page = visit(editor).open(f"/projects/{project.pk}/import/")
    slow(page, 10 * _MIB)
    begin(page, large)
    upload = wait_for_a_piece(page)
    page.route("**/api/v1/uploads/*", lambda route: route.abort("connectionfailed"))
    page.wait_for_selector("[data-sending][data-state=lost]")
    page.unroute("**/api/v1/uploads/*")
    page.wait_for_url("**/imports/*/", timeout=60_000)
    assert Import.objects.get().pk == upload.pk
