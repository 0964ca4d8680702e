"""A ZIP of 100,000 labelled pictures, as a gallery may hold and an export writes: little memory."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.storage.zips import many_files

PICTURES = 100_000
#: Of the whole process that imports, whatever the size of the ZIP.
MOST_MEGABYTES = 400

_OPEN = r"""
import json, re, sys
from pathlib import Path
import django
django.setup()
import datasets.tasks  # all that a worker has in memory
from datasets.sources.zip import ZipSource

with ZipSource(Path(sys.argv[1])) as source:
    record = next(iter(source.records()))
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    print(json.dumps([source.total, source.classes, len(record.boxes), peak]))
"""
_XML = (
    b"<annotation><size><width>640</width><height>480</height><depth>3</depth></size><object>"
    b"<name>lon</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox>"
    b"</object></annotation>"
)


def yolo(stems: list[str]) -> Iterator[tuple[str, bytes]]:
    yield "data.yaml", b"names: [lon]\ntrain: images/train\nval: images/val\n"
    for number, stem in enumerate(stems):
        split = "train" if number % 5 else "val"
        yield f"images/{split}/{stem}.jpg", b""
        yield f"labels/{split}/{stem}.txt", b"0 0.5 0.5 0.2 0.2\n"


def voc(stems: list[str]) -> Iterator[tuple[str, bytes]]:
    for split, part in (("train", stems[1::2]), ("val", stems[::2])):
        yield f"ImageSets/Main/{split}.txt", "\n".join(part).encode()
    for stem in stems:
        yield f"Annotations/{stem}.xml", _XML
        yield f"JPEGImages/{stem}.jpg", b""


@pytest.mark.slow
@pytest.mark.parametrize("layout", [yolo, voc])
def test_it_is_understood_in_bounded_memory(tmp_path: Path, layout: object) -> None:
    random = Random(1)
    stems = [str(uuid.UUID(int=random.getrandbits(128))) for _ in range(PICTURES)]
    path = tmp_path / "a.zip"
    path.write_bytes(many_files(layout(stems)))  # type: ignore[operator]

    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(path)], capture_output=True, text=True, check=True
    )

    pictures, classes, boxes, megabytes = json.loads(done.stdout.splitlines()[-1])
    assert (pictures, classes, boxes) == (PICTURES, ["lon"], 1)
    assert megabytes < MOST_MEGABYTES
