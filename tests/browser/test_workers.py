"""The page of workers, on a phone and at a desk: it draws itself again, and drains where asked."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from jobs import transitions
from jobs.worker_rows import Worker
from projects.models import Project
from tests.browser.visitor import DESK, PHONE
from tests.factories import make_run, make_worker
from training.models import TrainingRun

_T4 = {
    "gpu_name": "Tesla T4",
    "gpu_uuid": "GPU-6c4e",
    "gpu_memory_mb": 15360,
    "gpu_class": "t4",
    "driver": "535.183.01",
    "torch": "2.10.0+cu128",
    "cuda": "12.8",
    "compute_capability": "7.5",
}


def living(**fields: Any) -> Worker:
    """Return a worker that stays alive: the portal of the tests counts in leases of 2 seconds."""
    return make_worker(last_seen=timezone.now() + timedelta(hours=1), **fields)


def make_fleet(project: Project) -> Worker:
    """Make workers in every state; return the one that trains."""
    busy = living(state="busy", host="gpu-1", **_T4)
    run = make_run(project, name="Kệ bia tháng 11, thử lần hai")
    transitions.claim(TrainingRun, run.pk, worker=busy.name)
    make_run(project, gpu_class="t4")
    make_run(project)
    refused = {"card": "B300", "capability": "10.3", "torch": "2.10.0+cu128 (CUDA 12.8)"}
    living(
        host="gpu-2",
        state="refused",
        gpu_name="NVIDIA B300",
        reason={"code": "card_unsupported", "params": refused},
    )
    taken = {"code": "card_taken", "params": {"card": "Tesla T4"}}
    living(host="gpu-1", state="waiting", reason=taken, **_T4)
    living(host="web-1", queue="imports", gpu_class="", torch="", drain="after")
    make_worker(host="web-1", queue="detection", last_seen=timezone.now() - timedelta(hours=2))
    return busy


@pytest.mark.parametrize(("width", "dark", "language"), [(PHONE, False, "vi"), (DESK, True, "en")])
def test_it_is_in_nobodys_way(
    visit: Any, admin: User, project: Project, width: int, dark: bool, language: str
) -> None:
    visitor = visit(admin, width=width, dark=dark, language=language)
    visitor.open("/operations/workers/")
    visitor.shoot(f"{width}-{language}-no-workers")
    assert visitor.problems() == []
    make_fleet(project)
    living(gpu_class="a100")
    waiting = make_run(project, gpu_class="h100")
    for name, path in {
        "workers": "/operations/workers/",
        "card": f"/projects/{project.pk}/training/new/?from={waiting.pk}",
        "waiting": f"/training-runs/{waiting.pk}/",
    }.items():
        visitor.open(path)
        visitor.shoot(f"{width}-{language}-{name}")
        assert visitor.problems() == [], name


def test_it_draws_itself_again_and_a_worker_is_drained(
    visit: Any, admin: User, project: Project
) -> None:
    busy = make_fleet(project)
    visitor = visit(admin, language="en")
    page = visitor.open("/operations/workers/")
    row = page.locator(f"[data-worker='{busy.name}']")
    row.get_by_role("button", name="Drain now").click()
    row.get_by_text("It gives back what it does").wait_for()
    assert Worker.objects.get(pk=busy.pk).drain == "now"
    page.evaluate("window.isSamePage = true")
    Worker.objects.filter(pk=busy.pk).update(state="idle")
    TrainingRun.objects.filter(worker=busy.name).update(worker="")
    row.get_by_text("its process may be stopped").wait_for()
    assert page.evaluate("window.isSamePage") is True
    row.get_by_role("button", name="Take work again").click()
    page.locator(f"[data-worker='{busy.name}'][data-standing='idle']").wait_for()
