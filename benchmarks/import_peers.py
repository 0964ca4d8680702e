"""Other tools that import pictures with labels into a store of their own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import idle_disk, note

#: How long one may take to be installed; and to import.
_INSTALL, _IMPORT = 600, 3600

# Each program gets the folder of the set and one for its store, and prints last how many seconds
# the import took: what it needs to start is not counted, as the portal's start is not.
_DATUMARO = """
import sys, time
import datumaro as dm
began = time.monotonic()
dataset = dm.Dataset.import_from(sys.argv[1], "yolo")
dataset.export(sys.argv[2], "datumaro", save_media=True)
assert len(dataset) == int(sys.argv[3])
print(time.monotonic() - began)
"""
_FIFTYONE = """
import sys, time
import fiftyone as fo
began = time.monotonic()
dataset = fo.Dataset.from_dir(
    dataset_dir=sys.argv[1], dataset_type=fo.types.YOLOv5Dataset, split="train")
dataset.compute_metadata()
assert len(dataset) == int(sys.argv[3])
print(time.monotonic() - began)
"""


@dataclass(frozen=True)
class Peer:
    """A tool: its name, what pip installs, what runs there.

    Attributes:
        takes_uploads: it is a server that pictures are sent to; the others read a folder.
    """

    name: str
    package: str
    program: str
    takes_uploads: bool = False


#: Pinned: these are the newest of 2026-11.
PEERS = (
    Peer("datumaro", "datumaro==1.10.0", _DATUMARO),
    Peer("FiftyOne", "fiftyone==1.10.0", _FIFTYONE),
    Peer(
        "Label Studio",
        "label-studio==1.23.2",
        Path(__file__).with_name("import_label_studio.py").read_text(encoding="utf-8"),
        takes_uploads=True,
    ),
)


def peers(folder: Path) -> Iterator[tuple[Peer, float | None]]:
    """Yield each peer with its seconds for an unpacked set; nothing where it cannot be had.

    Args:
        folder: with `images`, `labels` and `data.yaml`; files for the peers are put beside them.
    """
    count = _lay_out(folder)
    for peer in PEERS:
        note(f"{peer.name}: installing")
        with tempfile.TemporaryDirectory(prefix="cvt-peer-") as home:
            python = _installed(Path(home), peer.package)
            yield (
                peer,
                _seconds(python, peer.program, folder, Path(home), count) if python else None,
            )


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


def _seconds(python: Path, program: str, folder: Path, home: Path, count: int) -> float | None:
    note("importing")
    idle_disk()
    command = [str(python), "-c", program, str(folder), str(home / "store"), str(count)]
    done = subprocess.run(
        command,
        env={"HOME": str(home), "PATH": f"{python.parent}:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_IMPORT,
        check=False,
    )
    if done.returncode:
        note(done.stderr[-2000:])
        return None
    return float(done.stdout.split()[-1])


def _lay_out(folder: Path) -> int:
    """Add the lists by which the peers know the layout; return how many pictures there are."""
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
    return len(pictures)
