"""The import of a ZIP of photos: against unzip and every header, and against other tools."""

import io
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import psutil
from PIL import Image

from benchmarks.figures import Figure, at_most, idle_disk, note, run
from benchmarks.import_peers import Peer, peers
from benchmarks.portal import Portal, portal
from samples.shelf_scenes import draw_scene

_MB = 1024 * 1024
_PHOTOS = int(os.environ.get("BENCH_PHOTOS", "5000"))
_SIZE, _BASES = (2400, 1800), 12
_TIMES_FLOOR, _MEMORY_MB, _SECONDS_SILENT = 2.5, 400.0, 1.0
_LABELS = "".join(f"{n % 3} {0.1 + 0.08 * n:.2f} 0.5 0.06 0.2\n" for n in range(10))


def measure() -> list[Figure]:
    """Draw the photos; unpack them, import them, let the peers import them."""
    with tempfile.TemporaryDirectory(prefix="cvt-zip-") as name:
        folder = Path(name)
        archive = folder / "photos.zip"
        note(f"drawing {_PHOTOS} photos")
        write_photos(archive, _PHOTOS)
        size = archive.stat().st_size / _MB
        note("the floor")
        floor = _floor(archive, folder / "floor")
        with portal(CVTRAINER_WORKERS="io=1") as running:
            note("the import")
            took, sent, told = _import(running, archive)
        figures = [
            Figure("the set", f"{_PHOTOS} photos, {size:.0f} MB"),
            Figure("unzip and every header", f"{floor:.1f} s"),
            Figure("the import", f"{took:.1f} s, and {sent:.1f} s for the upload before"),
            at_most("the import, against the floor", took / floor, _TIMES_FLOOR, "", 2),
            at_most("memory of the worker with its helpers", told.most / _MB, _MEMORY_MB, "MB", 0),
            at_most("longest time without progress", told.silent, _SECONDS_SILENT, "s", 2),
        ]
        for peer, seconds in peers(folder / "floor"):
            figures.append(_against(peer, seconds, floor=floor, took=took, sent=sent))
    return figures


def _against(
    peer: Peer, seconds: float | None, *, floor: float, took: float, sent: float
) -> Figure:
    """Return how a peer did; none takes a ZIP of pictures, so that the unpacking comes before.

    A server is sent the pictures, as the portal is sent the ZIP: then our upload counts too.
    """
    if seconds is None:
        return Figure(peer.name, "cannot be installed here")
    theirs, ours = floor + seconds, took + (sent if peer.takes_uploads else 0.0)
    what = "unpacking and upload included" if peer.takes_uploads else "unpacking included"
    told = f"{theirs:.1f} s"
    return Figure(f"{peer.name}, {what}", told, f"> {ours:.1f} s", theirs > ours)


def write_photos(path: Path, count: int) -> None:
    """Write a ZIP in the YOLO layout, as a tool packs photos: they are stored, not deflated."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive,
        ProcessPoolExecutor() as processes,
    ):
        archive.writestr("data.yaml", "names: [lon, chai, hộp]\n")
        photos = processes.map(_photo, range(count), chunksize=20)
        for number, photo in enumerate(photos):
            archive.writestr(f"images/{number:05}.jpg", photo)
            archive.writestr(f"labels/{number:05}.txt", _LABELS)


_bases: list[Image.Image] = []


def _photo(number: int) -> bytes:
    """Return a JPEG of 1 to 3 MB: a shelf with the noise of a small sensor, each another."""
    if not _bases:
        wide = (_SIZE[0] + 200, _SIZE[1] + 200)
        for seed in range(_BASES):
            shelf = draw_scene(Random(seed), wide)[0].convert("RGB")
            noise = Image.effect_noise(wide, 60).convert("RGB")
            _bases.append(Image.blend(shelf, noise, 0.15))
    random = Random(number)
    # Another place for each picture of a shelf: two that are the same would be joined.
    left, top = divmod(number // _BASES * 37 % 40_000, 200)
    base = _bases[number % _BASES].crop((left, top, left + _SIZE[0], top + _SIZE[1]))
    output = io.BytesIO()
    base.save(output, "JPEG", quality=random.randint(82, 92))
    return output.getvalue()


def _floor(archive: Path, folder: Path) -> float:
    """Return the seconds of unpacking, and of reading the header of each picture."""
    idle_disk()
    began = time.monotonic()
    subprocess.run(["unzip", "-q", str(archive), "-d", str(folder)], check=True)
    for path in sorted((folder / "images").iterdir()):
        with Image.open(path) as image:
            assert image.size == _SIZE
    return time.monotonic() - began


class _Watch:
    """Looks at an import: the memory of its worker, and how long nothing is heard of it."""

    def __init__(self, running: Portal, worker: int) -> None:
        self.most, self.silent = 0, 0.0
        self._running, self._worker = running, psutil.Process(worker)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()

    def follow(self, address: str) -> dict[str, Any]:
        """Wait for the end of a job, and note the longest time in which it said nothing new."""
        said, since = "", 0.0
        while True:
            job = self._running.client.get(address)
            now = time.monotonic()
            if job["status"] == "running":
                if str(job["progress"]) != said:
                    self.silent = max(self.silent, now - since if since else 0.0)
                    said, since = str(job["progress"]), now
            elif job["status"] != "queued":
                return job
            time.sleep(0.2)

    def _look(self) -> None:
        while not self._ended.wait(0.6):
            memory = 0
            for process in [self._worker, *self._worker.children(recursive=True)]:
                try:
                    memory += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.most = max(self.most, memory)


def _import(running: Portal, archive: Path) -> tuple[float, float, _Watch]:
    """Return the seconds from the end of the upload on, those of the upload, and what was seen."""
    client = running.client
    project = client.post("projects/", {"name": "photos"})["id"]
    fields = {"project": project, "dataset_name": "photos", "source": "zip", "split_ratio": 0.2}
    (worker,) = running.pids("run_worker", "imports")[:1]
    idle_disk()
    with _Watch(running, worker) as watch:
        sending = time.monotonic()
        begun = client.upload("imports/", fields, [("file", archive)])
        began = time.monotonic()
        job = watch.follow(f"imports/{begun['id']}/")
        took = time.monotonic() - began
    if job["status"] != "succeeded":
        raise SystemExit(f"the import {job['status']}: {job['error']}")
    version = client.get(f"dataset-versions/{job['dataset_version']}/")
    assert version["images"]["total"] == _PHOTOS, version["images"]
    return took, began - sending, watch


if __name__ == "__main__":
    sys.exit(run("import_zip", measure))
