"""`kill -9` of the whole portal in the middle of a real training: a new start goes on."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from samples.client import Client
from tests.ops.portal import Portal, manage, that_use, wait_for
from tests.training.data import SIDE, rectangles_zip

pytestmark = pytest.mark.slow

_EPOCHS = 12
_PASSWORD = "opens-the-page"
#: The lease that the dead worker held still has a minute to run: nobody waits for that. What takes
#: time is the trainer's start, on a machine where other tests have half.
_BEGINS_SECONDS = 45
#: The rest of the training.
_GOES_ON_SECONDS = 180


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def start(home: Path) -> Iterator[Any]:
    started: list[Portal] = []

    def make() -> Portal:
        started.append(Portal(home, CVTRAINER_ADMIN_PASSWORD=_PASSWORD))
        started[-1].wait_until_ready()
        return started[-1]

    yield make
    for portal in started:
        portal.kill_everything()


def client_of(portal: Portal, token: str) -> Client:
    return Client(f"http://127.0.0.1:{portal.port}", token)


def begin_training(client: Client, folder: Path) -> str:
    """Import and start a training; return the id of the run."""
    archive = folder / "rectangles.zip"
    archive.write_bytes(rectangles_zip())
    project = client.post("projects/", {"name": "Killed"})["id"]
    fields = {"project": project, "source": "zip", "dataset_name": "rectangles"}
    begun = client.upload("imports/", fields, [("file", archive)])
    version = client.wait(f"imports/{begun['id']}/")["dataset_version"]
    body = {"base_model": "yolo26n-scratch", "epochs": _EPOCHS, "imgsz": SIDE, "batch": 8}
    wanted = {"project": project, "dataset_version": version, "patience": 0, **body}
    return str(client.post("training-runs/", wanted)["id"])


def shown_to_admin(portal: Portal, path: str) -> str:
    """Return a page as the administrator sees it in English."""
    session, base = requests.Session(), f"http://127.0.0.1:{portal.port}"
    session.cookies.set("django_language", "en")
    form = {"login": "admin", "password": _PASSWORD}
    entry = f"{base}/accounts/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(entry).text)
    assert token is not None
    form["csrfmiddlewaretoken"] = token[1]
    session.post(entry, data=form, headers={"Referer": entry}).raise_for_status()
    return session.get(f"{base}{path}").text


def test_the_run_goes_on_from_its_last_epoch(start: Any, home: Path, tmp_path: Path) -> None:
    portal = start()
    scopes = "read,import,train,detect,manage"
    token = manage(home, "create_token", "admin", "--scopes", scopes).stdout.strip()
    client = client_of(portal, token)
    run = f"training-runs/{begin_training(client, tmp_path)}/"
    wait_for(lambda: client.get(run)["epoch"] >= 2, seconds=120)

    portal.process.kill()
    wait_for(lambda: that_use(home) == [], seconds=10)

    portal = start()
    client, began = client_of(portal, token), time.monotonic()
    kept, page = client.get(run), shown_to_admin(portal, f"/{run}")
    # It waits, or somebody works on it again; nobody reads that the dead attempt still runs.
    assert (kept["status"], kept["attempt"]) in {("queued", 1), ("running", 2)}
    assert kept["epoch"] >= 2
    assert f'data-status="{kept["status"]}"' in page or 'data-status="running"' in page
    assert "data-silence hidden" in page
    wait_for(lambda: client.get(run)["attempt"] == 2, seconds=_BEGINS_SECONDS)
    print(f"was taken up again {time.monotonic() - began:.1f} s after the new start")
    assert "Attempt 2 went on" in shown_to_admin(portal, f"/{run}")
    done = client.wait(run, seconds=_GOES_ON_SECONDS)
    assert done["status"] == "succeeded", done["error"]
    assert done["attempt"] == 2
    epochs = [row["epoch"] for row in client.get(f"{run}metrics/")["results"]]
    assert epochs == list(range(1, _EPOCHS + 1))
    assert done["model"]
    print(f"went on and ended {time.monotonic() - began:.0f} s after the new start")
