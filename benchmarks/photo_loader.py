"""A training's data pipeline alone, in a process of its own: `photo_loader WAY ROOT SIZE CLASSES`.

WAY is `plain` (the library, no cache), `ram` (the library, `cache=ram`) or `ours`. Each line of
standard input is a number of batches to load; the answer is a line of JSON: pictures a second,
milliseconds of processor time a picture, and megabytes of memory that were added since the data set
was opened, by this process and its loaders: anonymous (nothing can take it away) and mapped (files
in the system's cache, which give way).
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from training import trainer_process

BATCH, LOADERS = 16, 2
#: Loaded ahead while nobody asked, or on the way; not counted.
_AHEAD = LOADERS * 4 + 2


def main(way: str, root: Path, size: int, classes: int) -> None:
    """Answer until there are no more questions."""
    answers, sys.stdout = sys.stdout, sys.stderr  # the library talks
    with tempfile.TemporaryDirectory(prefix="cvt-loader-") as config:
        trainer_process.prepare_libraries(Path(config))
        build, args, data = _library(way, size, classes)
        before = _memory()
        images = str(root / "images/train")
        dataset = build.build_yolo_dataset(args, images, BATCH, data, mode="train", stride=32)
        loader = build.build_dataloader(dataset, BATCH, LOADERS, shuffle=True, device="cpu")
        batches = _without_end(loader)
        for line in sys.stdin:
            answer = {**_loaded(batches, int(line)), "memory": _added(before)}
            print(json.dumps(answer), file=answers, flush=True)


def _library(way: str, size: int, classes: int) -> tuple[Any, Any, dict[str, Any]]:
    """Return the library's functions, its arguments, and its description of the data."""
    import torch
    from ultralytics.cfg import get_cfg
    from ultralytics.data import build

    torch.set_num_threads(1)
    if way == "ours":
        from training import trainer_yolo

        trainer_yolo.restrain_library()
    cache = "ram" if way == "ram" else False
    args = get_cfg(overrides={"task": "detect", "imgsz": size, "cache": cache})
    names = {index: str(index) for index in range(classes)}
    return build, args, {"names": names, "nc": classes, "channels": 3}


def _without_end(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def _loaded(batches: Iterator[Any], count: int) -> dict[str, float]:
    for _ in islice(batches, _AHEAD):
        pass
    began, work = time.monotonic(), _work()
    pictures = sum(len(batch["img"]) for batch in islice(batches, count))
    seconds, spent = time.monotonic() - began, _work() - work
    return {"rate": pictures / seconds, "work": 1000 * spent / pictures}


def _processes() -> list[psutil.Process]:
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]


def _work() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in _processes())


def _memory() -> Counter[str]:
    """Return kilobytes by kind; what processes share is counted once."""
    found: Counter[str] = Counter()
    for process in _processes():
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        found.update({line.split(":")[0]: int(line.split()[1]) for line in lines[1:]})
    return found


def _added(before: Counter[str]) -> dict[str, float]:
    now = _memory()
    anonymous = ("Pss_Anon", "Pss_Shmem")
    return {
        "anonymous": sum(now[kind] - before[kind] for kind in anonymous) / 1024,
        "mapped": (now["Pss_File"] - before["Pss_File"]) / 1024,
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
