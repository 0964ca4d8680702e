"""bench-import-custom-vision: 1,000 pictures of Custom Vision, each answer 80 ms away.

The peer fetches the same pictures one after the other. The bound: the calls that have to come
before the first picture, then all pictures over 16 connections at that latency; the listing runs
beside it. Targets: within 1.3 of the bound, 8 times faster than one after the other.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from benchmarks.figures import Figure, at_least, at_most, note, run
from benchmarks.portal import ROOT, Portal, portal

_PICTURES, _LATENCY, _CONNECTIONS = 1000, 0.08, 16
#: Project, domain, two counts, tags, the first page; at the end tags, counts and iterations.
_CALLS_BEFORE, _CALLS_AFTER = 6, 4
_RATIO, _FASTER = 1.3, 8.0


def measure() -> list[Figure]:
    """Import once, then fetch one after the other."""
    with _server() as remote, portal(CVTRAINER_CUSTOM_VISION_HOSTS="127.0.0.1") as running:
        took, stored = _import(running, remote)
        note("one after the other")
        alone = _one_after_the_other(remote)
    bound = _LATENCY * (_PICTURES / _CONNECTIONS + _CALLS_BEFORE + _CALLS_AFTER)
    return [
        Figure(f"the bound for {_PICTURES} pictures of {stored / 1024:.0f} kB", f"{bound:.1f} s"),
        Figure("the import, from the request to ready", f"{took:.1f} s"),
        at_most("against the bound", took / bound, _RATIO, ""),
        Figure("fetching one after the other", f"{alone:.1f} s"),
        at_least("times faster", alone / took, _FASTER, digits=1),
    ]


def _import(running: Portal, remote: dict[str, str]) -> tuple[float, float]:
    """Return seconds of an import, by the portal's clock, and the size of a picture."""
    client = running.client
    project = client.post("projects/", {"name": "bench"})["id"]
    body = {
        "project": project,
        "source": "custom_vision",
        "dataset_name": "bench",
        "endpoint": remote["endpoint"],
        "custom_vision_project": remote["project"],
        "training_key": remote["key"],
    }
    begun = client.post("imports/", body)
    done = client.wait(f"imports/{begun['id']}/")
    began, ended = (datetime.fromisoformat(done[name]) for name in ("created_at", "finished_at"))
    version = client.get(f"dataset-versions/{done['dataset_version']}/")
    if done["status"] != "succeeded" or version["images"]["total"] != _PICTURES:
        raise SystemExit(f"The import did not succeed: {done}")
    return (ended - began).total_seconds(), float(remote["bytes"]) / _PICTURES


def _one_after_the_other(remote: dict[str, str]) -> float:
    """Return seconds of the simplest script: list a page, fetch its pictures, next page."""
    from datasets.sources.custom_vision.address import Address
    from datasets.sources.custom_vision.downloads import PictureClient
    from datasets.sources.custom_vision.service import MAX_PAGE, Service

    began = time.monotonic()
    address = Address(remote["endpoint"], remote["project"])
    service = Service(address, remote["key"], wait=_never, patience=0)
    pictures = PictureClient(["127.0.0.1"])
    for skip in range(0, _PICTURES, MAX_PAGE):
        for image in service.page(is_tagged=True, skip=skip, take=MAX_PAGE):
            pictures.fetch(image.uri)
    return time.monotonic() - began


def _never(seconds: float, code: str) -> None:
    raise SystemExit(f"The server of the benchmark failed: {code}")


@contextmanager
def _server() -> Iterator[dict[str, Any]]:
    arguments = ["-m", "benchmarks.custom_vision_server", str(_PICTURES), str(_LATENCY)]
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdin
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    sys.exit(run("import_custom_vision", measure))
