"""An import from Custom Vision whose worker is killed: over the API, Valkey and real processes."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from accounts.models import User
from datasets.models import Import, ImportSecret
from jobs.states import Status
from projects.models import Project
from tests.custom_vision.conftest import fill
from tests.custom_vision.emulator import KEY, Emulator
from tests.custom_vision.test_api import IMPORTS, import_body
from tests.datasets.importing import fresh, warnings_of
from tests.personas import ClientFactory
from tests.services.programs import Programs, children
from tests.services.valkey import Valkey

PICTURES, KILLS = 200, 3


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_goes_on_and_fetches_only_what_is_missing(
    programs: Programs,
    api: ClientFactory,
    project: Project,
    editor: User,
    emulator: Emulator,
    valkey: Valkey,
    search_everything: Callable[[str], list[str]],
) -> None:
    fill(emulator, PICTURES)
    emulator.latency = 0.5
    programs.reconciler()
    worker = programs.worker("imports", CUSTOM_VISION_HOSTS=["127.0.0.1"])
    answer = api(editor).post(IMPORTS, import_body(emulator, project))
    job = Import.objects.get(pk=answer.json()["id"])

    kills, fetched, found, deadline = 0, 0, [], time.monotonic() + 240
    while (now := fresh(job)).status != Status.SUCCEEDED:
        assert now.status in {Status.QUEUED, Status.RUNNING}, now.error
        assert time.monotonic() < deadline
        if kills < KILLS and len(emulator.fetched()) >= fetched + 20:
            for child in children(worker.pid)[:1]:
                # Held, so that the search, however slow, sees it in the middle of its work.
                os.kill(child, signal.SIGSTOP)
                found += search_everything(KEY) + _in_redis(valkey, KEY)
                os.kill(child, signal.SIGKILL)
                kills, fetched = kills + 1, len(emulator.fetched())
        time.sleep(0.05)

    assert kills == KILLS
    assert found == []
    assert search_everything(KEY) + _in_redis(valkey, KEY) == []
    assert not ImportSecret.objects.exists()
    done = fresh(job)
    assert (done.version.images_total, warnings_of(done)) == (PICTURES, {})
    # At a kill some are under way or not stored yet; all others are fetched once.
    assert emulator.fetched().total() <= PICTURES + KILLS * 64


def _in_redis(valkey: Valkey, text: str) -> list[str]:
    """Return the names of keys that hold a text."""
    client, needle = valkey.client(), text.encode()
    return [str(key) for key in client.scan_iter("*") if needle in (client.dump(key) or b"")]
