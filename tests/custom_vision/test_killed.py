"""An import from Custom Vision whose worker is killed: over the API, Valkey and real processes."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
import redis
import rq
from rq.serializers import JSONSerializer

from accounts.models import User
from datasets.models import Import, ImportSecret
from jobs.states import Status
from projects.models import Project
from tests.custom_vision.conftest import fill
from tests.custom_vision.emulator import KEY, Emulator
from tests.custom_vision.redis_search import keys_that_hold
from tests.custom_vision.test_api import IMPORTS, import_body
from tests.datasets.importing import fresh, warnings_of
from tests.personas import ClientFactory
from tests.services.programs import Programs, children
from tests.services.valkey import Valkey

PICTURES, KILLS = 200, 3


@pytest.mark.parametrize("place", ["arguments", "failure", "list", "set", "zset", "string", "name"])
def test_the_search_of_redis_finds_what_is_there(valkey: Valkey, place: str) -> None:
    """It would be worth nothing if it saw only what RQ does not pack."""
    with valkey.client() as client:
        assert keys_that_hold(client, KEY) == []
        plant(client, place)
        assert len(keys_that_hold(client, KEY)) == 1


def plant(client: redis.Redis, place: str) -> None:
    """Put the key where it must never be."""
    queue = rq.Queue("imports", connection=client, serializer=JSONSerializer)
    if place == "arguments":
        job = queue.enqueue_call("a.b", args=("id", {"training_key": KEY}), description="a")
        assert KEY.encode() not in (client.dump(job.key) or b"")
    elif place == "failure":
        job = rq.job.Job.create("a.b", connection=client, serializer=JSONSerializer)
        rq.results.Result.create_failure(job, ttl=60, exc_string=f"ValueError: {KEY}" * 40)
    else:
        {
            "list": lambda: client.rpush("a", "b", f"x{KEY}x"),
            "set": lambda: client.sadd("a", f"x{KEY}x"),
            "zset": lambda: client.zadd("a", {f"x{KEY}x": 1.0}),
            "string": lambda: client.set("a", f"x{KEY}x"),
            "name": lambda: client.set(f"x{KEY}x", "a"),
        }[place]()


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
    in_redis = partial(keys_that_hold, valkey.client())
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
                found += search_everything(KEY) + in_redis(KEY)
                os.kill(child, signal.SIGKILL)
                kills, fetched = kills + 1, len(emulator.fetched())
        time.sleep(0.05)

    assert kills == KILLS
    assert found == []
    assert search_everything(KEY) + in_redis(KEY) == []
    assert not ImportSecret.objects.exists()
    done = fresh(job)
    assert (done.version.images_total, warnings_of(done)) == (PICTURES, {})
    # At a kill some are under way or not stored yet; all others are fetched once.
    assert emulator.fetched().total() <= PICTURES + KILLS * 96
