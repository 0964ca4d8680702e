"""bench-web: the memory of the web process, and of every process while 1 GB goes in and out.

1. Signed in as administrator, follow every link of the site; each kind of page once. Target: 150 MB
   resident, and no library of training or pictures mapped.
2. Import a ZIP of 1 GB of photos and download the version again. Target: no process grows by more
   than 100 MB meanwhile.
"""

import io
import os
import re
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import psutil
import requests
from PIL import Image

from benchmarks.figures import Figure, at_most, note, run
from benchmarks.portal import Imported, Portal, import_zip, portal, signed_in, trained_model
from samples.shelf_scenes import write_sample_zip

_MB = 1024 * 1024
_RESIDENT_MB = 150.0
_GROWTH_MB = 100.0
_BIG_BYTES = 1024 * _MB
_HEAVY = ("torch", "ultralytics", "cv2", "numpy")
_ROW = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/)")


def measure() -> list[Figure]:
    """Visit all pages; then move 1 GB."""
    with tempfile.TemporaryDirectory(prefix="cvt-web-") as name, portal() as running:
        folder = Path(name)
        _fill(running, folder)
        web = psutil.Process(running.pids("uvicorn")[0])
        at_rest = web.memory_info().rss / _MB
        pages = _visit_everything(running)
        figures = [
            Figure("web process before its first page", f"{at_rest:.0f} MB"),
            Figure("kinds of pages served", str(pages)),
            at_most("web process after them", web.memory_info().rss / _MB, _RESIDENT_MB, "MB", 0),
            _nothing_heavy(web),
        ]
        return figures + _move_a_gigabyte(running, folder)


def _fill(running: Portal, folder: Path) -> None:
    """Have something on each page: data, a run, a model, a detection."""
    archive = folder / "small.zip"
    write_sample_zip(archive, images=12, seed=1)
    data = import_zip(running, archive)
    body = {"base_model": "yolov8n-scratch", "epochs": 1, "imgsz": 64, "batch": 4}
    model = trained_model(running, data, body)
    with zipfile.ZipFile(archive) as opened:
        picture = next(name for name in opened.namelist() if name.endswith(".jpg"))
        opened.extract(picture, folder)
    fields = {"model": model, "wait": 30}
    running.client.upload("detections/", fields, [("images", folder / picture)])


class _Links(HTMLParser):
    """Collects what a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of a link, a picture, or what htmx would fetch."""
        wanted = {"a": ("href",), "img": ("src",)}.get(tag, ())
        self.found += [value for key, value in attrs if value and key in (*wanted, "hx-get")]


def _visit_everything(running: Portal) -> int:
    """Follow every link; of addresses that differ only in their row, one. Return how many."""
    base = running.client.url
    session = signed_in(running)
    seen: set[str] = set()
    waiting = [f"{base}/", f"{base}/admin/", f"{base}/api/docs/", *_api_lists(base)]
    while waiting:
        address = waiting.pop(0)
        kind = _ROW.sub("*", urlsplit(address).path)
        if kind in seen or "logout" in kind:
            continue
        seen.add(kind)
        waiting += _links_of(session, address, base)
    return len(seen)


def _api_lists(base: str) -> Iterator[str]:
    names = "me projects imports datasets dataset-versions training-options training-runs models"
    for name in (*names.split(), "detections", "evaluations", "schema"):
        yield f"{base}/api/v1/{name}/"


def _links_of(session: requests.Session, address: str, base: str) -> list[str]:
    answer = session.get(address, timeout=60)
    if answer.status_code >= 500:
        raise SystemExit(f"{address} answered {answer.status_code}")
    if "html" not in answer.headers.get("Content-Type", ""):
        return []
    links = _Links()
    links.feed(answer.text)
    found = (urljoin(address, link).partition("#")[0] for link in links.found)
    return [link for link in found if link.startswith(f"{base}/")]


def _nothing_heavy(web: psutil.Process) -> Figure:
    """Look for compiled parts of the libraries; `tests/test_architecture.py` looks at modules."""
    mapped = {part for region in web.memory_maps() for part in Path(region.path).parts}
    found = [name for name in _HEAVY if name in mapped]
    return Figure("heavy libraries in it", ", ".join(found) or "none", "none", not found)


def _move_a_gigabyte(running: Portal, folder: Path) -> list[Figure]:
    archive, export = folder / "big.zip", folder / "export.zip"
    note("drawing 1 GB of photos")
    pictures = write_photos(archive, _BIG_BYTES)
    with Growth(running.process.pid) as growth:
        note("1 GB goes in")
        began = time.monotonic()
        data: Imported = import_zip(running, archive)
        came_in = time.monotonic() - began
        note("1 GB goes out")
        began = time.monotonic()
        size = running.client.download(f"dataset-versions/{data.version}/export/", export)
        went_out = time.monotonic() - began
    return [
        Figure(
            f"upload and import of {archive.stat().st_size / _MB:.0f} MB, {pictures} photos",
            f"{came_in:.1f} s",
        ),
        Figure(f"download of {size / _MB:.0f} MB", f"{went_out:.1f} s"),
        *(
            at_most(f"most growth: {name}", grown / _MB, _GROWTH_MB, "MB", 0)
            for name, grown in growth.most()
        ),
    ]


def write_photos(path: Path, size: int) -> int:
    """Write a ZIP of photos that do not compress further, each another, with one label each."""
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("data.yaml", "names: [thing]\n")
        while path.stat().st_size < size:
            noise = Image.frombytes("RGB", (1200, 900), os.urandom(3 * 1200 * 900))
            content = io.BytesIO()
            noise.save(content, "JPEG", quality=90)
            archive.writestr(f"images/{count:05}.jpg", content.getvalue())
            archive.writestr(f"labels/{count:05}.txt", "0 0.5 0.5 0.25 0.25\n")
            count += 1
    return count


class Growth:
    """Watches how much the processes of a portal grow, twenty times a second."""

    def __init__(self, pid: int) -> None:
        self._family = psutil.Process(pid)
        self._first: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Growth":
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()

    def most(self, count: int = 3) -> list[tuple[str, int]]:
        """Return the processes that grew most, as (name, bytes)."""
        grown = [(self._names[pid], self._most[pid] - self._first[pid]) for pid in self._first]
        return sorted(grown, key=lambda pair: -pair[1])[:count]

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self._look()

    def _look(self) -> None:
        for process in [self._family, *self._family.children(recursive=True)]:
            try:
                resident = process.memory_info().rss
                if process.pid not in self._first:
                    self._first[process.pid] = resident
                    self._names[process.pid] = _short(process.cmdline())
            except psutil.Error:
                continue
            self._most[process.pid] = max(resident, self._most.get(process.pid, 0))


def _short(command: list[str]) -> str:
    words = [Path(word).name for word in command if not word.startswith("-")]
    return " ".join(words[:3])[:60]


if __name__ == "__main__":
    sys.exit(run("web", measure))
