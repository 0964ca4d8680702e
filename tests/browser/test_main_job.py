"""The main job by hand: sign in, make a project, import a ZIP, train, detect, move the slider.

All of it is real: web process, workers, a training of some epochs, the model that it made. Set
`TEST_SHOTS` to a folder to get a picture of each page.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import User
from datasets.models import DatasetClass
from tests.browser.visitor import DESK, PHONE, Visitor
from tests.factories import PASSWORD
from tests.services.programs import Programs
from tests.training.data import rectangles_zip
from training.models import TrainingRun

#: What two kinds of rectangles take to be found by a model that begins from nothing.
_PICTURES, _EPOCHS = 48, 30
_SETTINGS = {"epochs": _EPOCHS, "patience": 0, "batch": 2, "imgsz": 64, "lr0": "0.03"}
_MINUTES = 60_000


class Walk:
    """One person's way through the portal, with a picture of each page if somebody wants them."""

    def __init__(self, visitor: Visitor, name: str) -> None:
        self.visitor, self.page, self._name = visitor, visitor.page, name
        self._count = 0

    def look(self, what: str) -> None:
        """Check what each page promises; keep a picture of it."""
        assert self.visitor.problems() == [], what
        self._count += 1
        self.visitor.shoot(f"{self._name}-{self._count:02}-{what}")

    def sign_in(self) -> None:
        self.visitor.open("/")
        self.look("sign-in")
        self.page.fill("[name=login]", "outsider")
        self.page.fill("[name=password]", PASSWORD)
        self.page.press("[name=password]", "Enter")
        self.page.wait_for_url(f"{self.visitor.base}/")
        self.look("first-visit")

    def make_project(self) -> None:
        self.page.click("main a.btn-primary")
        self.page.fill("[name=name]", "Kệ nước giải khát")
        self.look("new-project")
        self.page.click("main button.btn-primary")
        self.page.wait_for_url("**/projects/*-*/")
        self.look("project")

    def import_zip(self, archive: Path) -> None:
        self.page.click("#steps .step >> nth=0")
        self.page.wait_for_load_state("networkidle")
        self.look("no-data")
        if "/import/" not in self.page.url:
            self.page.click("main a.btn-primary")
            self.page.wait_for_url("**/import/")
            self.page.wait_for_load_state("networkidle")
        self.page.set_input_files("input[type=file]", archive)
        self.page.wait_for_function("document.querySelector('[name=dataset_name]').value !== ''")
        self.look("import")
        self.page.click("[data-submit] button")
        self.page.wait_for_url("**/imports/*/")
        # A small import may be over before its page is there.
        self.page.locator("progress, #job [data-status=succeeded]").first.wait_for(state="attached")
        self.page.wait_for_selector("#job [data-status=succeeded]", timeout=2 * _MINUTES)
        self.look("imported")
        tile = self.page.locator("#job .tile").first
        assert tile.locator("rect").count() > 0, "no boxes are drawn on the pictures"

    def confirm(self) -> None:
        self.page.locator("#job a.btn-primary").click()
        self.page.locator(".crops svg").first.wait_for()
        self.page.wait_for_load_state("networkidle")
        name = self.page.locator("[data-class] [name=name]").first
        assert name.input_value() == "hộp đỏ"
        self.page.locator("[data-move='1']").first.click()
        assert self.page.locator("[data-class] [name=name]").nth(1).input_value() == "hộp đỏ"
        name.fill("lon")
        self.look("review")
        self.page.click("main header button.btn-primary")
        self.page.wait_for_url("**/dataset-versions/*-*/")
        self.look("confirmed")

    def train(self) -> None:
        self.page.locator("main header a.btn-primary").click()
        self.page.wait_for_load_state("networkidle")
        self.look("new-training")
        self.page.select_option("[name=base_model]", "yolov8n-scratch")
        self.page.select_option("[name=optimizer]", "MuSGD")
        self.page.click("form[data-run-form] details summary")
        for name, value in {**_SETTINGS, "warmup_epochs": _EPOCHS - 1}.items():
            self.page.fill(f"[name={name}]", str(value))
        self.page.click("form[data-run-form] button.btn-primary")
        self.page.wait_for_url("**/training-runs/*/")
        self.page.evaluate("window.isSamePage = true")
        self._see_it_arrive(self.page)
        self.page.locator("#job[data-status='succeeded']").wait_for(timeout=4 * _MINUTES)
        assert self.page.evaluate("window.isSamePage") is True, "the page was loaded again"
        self.look("trained")

    def _see_it_arrive(self, page: Page) -> None:
        lines = page.locator("[data-log-lines] > div")
        lines.nth(3).wait_for(timeout=2 * _MINUTES)
        page.locator("[data-charts][data-points='1']").wait_for(timeout=2 * _MINUTES)
        first = lines.count()
        self.look("training")
        page.locator(f"[data-charts][data-points='{_EPOCHS - 1}']").wait_for(timeout=2 * _MINUTES)
        assert lines.count() > first
        assert page.locator(".chart canvas").count() == 6

    def detect(self, pictures: list[Path]) -> None:
        self.page.locator("#job a.btn-primary").click()
        self.page.wait_for_load_state("networkidle")
        self.page.set_input_files("#pictures", pictures)
        self.page.locator(".preview").first.wait_for()
        self.look("detect")
        self.page.click("[data-submit]")
        self.page.wait_for_url("**/detections/*/*", timeout=2 * _MINUTES)
        self.page.locator("[data-viewer]:not([aria-busy])").wait_for(timeout=2 * _MINUTES)
        self.page.locator("#threshold").fill("5")
        self.look("detected")
        low = self._total()
        assert low > 0
        assert self.page.locator("[data-counts] tr").count() > 0
        assert self.page.locator("#picture g.boxes:not([hidden])").count() == self._total(column=1)
        self.page.locator("#threshold").fill("95")
        assert self._total() < low

    def _total(self, *, column: int = 2) -> int:
        """Add up the counts table: of the picture that is shown (1), or of all (2)."""
        rows = self.page.locator("[data-counts] tr")
        cells = [rows.nth(n).locator("th, td").nth(column) for n in range(rows.count())]
        return sum(int(cell.inner_text()) for cell in cells)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "language"), [(DESK, "vi"), (PHONE, "en")])
def test_from_a_zip_to_counts(
    visit: Any, outsider: User, programs: Programs, tmp_path: Path, width: int, language: str
) -> None:
    for queue in ("imports", "training", "detection"):
        programs.worker(queue)
    archive = tmp_path / "Hộp và lon.zip"
    archive.write_bytes(rectangles_zip(_PICTURES))
    with zipfile.ZipFile(io.BytesIO(rectangles_zip(6, seed=99))) as unseen:
        names = [name for name in unseen.namelist() if name.endswith(".jpg")]
        pictures = [Path(unseen.extract(name, tmp_path)) for name in names]
    walk = Walk(visit(width=width, language=language), f"{width}-{language}")
    walk.sign_in()
    walk.make_project()
    walk.import_zip(archive)
    walk.confirm()
    assert list(DatasetClass.objects.values_list("name", flat=True)) == ["lon", "hộp đỏ"]
    walk.train()
    assert TrainingRun.objects.get().epochs.count() == _EPOCHS
    walk.detect(pictures)
