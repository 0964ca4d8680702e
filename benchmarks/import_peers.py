"""Other tools that import a folder of pictures with labels into a store of their own."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import note

#: How long one may take to be installed; and to import.
_INSTALL, _IMPORT = 600, 3600

_DATUMARO = """
import sys
from pathlib import Path
import datumaro as dm
folder, store = Path(sys.argv[1]), sys.argv[2]
dataset = dm.Dataset.import_from(str(folder), "yolo")
dataset.export(store, "datumaro", save_media=True)
print(len(dataset))
"""
_FIFTYONE = """
import sys
import fiftyone as fo
import fiftyone.core.metadata as metadata
dataset = fo.Dataset.from_dir(
    dataset_dir=sys.argv[1], dataset_type=fo.types.YOLOv5Dataset, split="train")
dataset.compute_metadata()
print(len(dataset))
"""
#: Name, what pip installs, what it runs. Pinned: these are the newest of 2026-11.
PEERS = (
    ("datumaro", "datumaro==1.10.0", _DATUMARO),
    ("FiftyOne", "fiftyone==1.10.0", _FIFTYONE),
)


def peers(folder: Path) -> Iterator[tuple[str, float | None]]:
    """Yield each peer with its seconds for an unpacked set; nothing where it cannot be installed.

    Args:
        folder: with `images`, `labels` and `data.yaml`; files for the peers are put beside them.
    """
    _lay_out(folder)
    for name, package, program in PEERS:
        note(f"{name}: installing")
        with tempfile.TemporaryDirectory(prefix="cvt-peer-") as home:
            python = _installed(Path(home), package)
            yield name, python and _seconds(python, program, folder, Path(home))


def _installed(home: Path, package: str) -> Path | None:
    """Return the Python of an environment with a package, if it can be had."""
    environment = home / "venv"
    python = environment / "bin" / "python"
    try:
        for command in (
            [sys.executable, "-m", "venv", str(environment)],
            [str(python), "-m", "pip", "install", "-q", package],
        ):
            subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return python


def _seconds(python: Path, program: str, folder: Path, home: Path) -> float | None:
    note("importing")
    began = time.monotonic()
    command = [str(python), "-c", program, str(folder), str(home / "store")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT, check=False)
    if done.returncode:
        note(done.stderr[-2000:])
        return None
    return time.monotonic() - began


def _lay_out(folder: Path) -> None:
    """Add the lists by which the peers know the layout."""
    pictures = sorted((folder / "images").iterdir())
    names = ["lon", "chai", "hộp"]
    (folder / "obj.names").write_text("\n".join(names))
    (folder / "obj.data").write_text("classes = 3\nnames = obj.names\ntrain = train.txt\n")
    (folder / "obj_train_data").mkdir()
    with (folder / "train.txt").open("w") as listed:
        for picture in pictures:
            label = folder / "labels" / f"{picture.stem}.txt"
            (folder / "obj_train_data" / picture.name).hardlink_to(picture)
            (folder / "obj_train_data" / label.name).hardlink_to(label)
            listed.write(f"data/obj_train_data/{picture.name}\n")
    (folder / "dataset.yaml").write_text(
        f"path: {folder}\ntrain: images\nval: images\nnames: [lon, chai, hộp]\n"
    )
