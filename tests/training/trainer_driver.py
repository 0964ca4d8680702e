"""The other end of a trainer's connection, for tests: starts it, speaks to it, takes it down."""

import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from PIL import Image, ImageDraw

from training.messages import Data, Message, Spec
from training.options import default_options, to_train_arguments
from training.pixels import SUFFIX, Form, Head, file_content, fitted
from training.wire import LineReader, encode

ROOT = Path(__file__).resolve().parents[2]
NAMES = ['đỏ: "to" 🥤', "xanh lá's #2", "xanh dương"]
SECONDS = 240.0
_COLOURS = ((220, 40, 40), (40, 200, 60), (50, 80, 220))


def draw_dataset(root: Path, *, train: int = 24, val: int = 8, size: int = 96) -> Path:
    """Draw coloured rectangles, always the same, in the layout that a trainer is given."""
    random_numbers = random.Random(1)
    for split, count in (("train", train), ("val", val)):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            _draw_picture(root, split, number, size, random_numbers)
    prepare_pictures(root / "images", size=size)
    return root


def prepare_pictures(folder: Path, *, size: int) -> None:
    """Replace the pictures below a folder by prepared ones."""
    from training.pixel_worker import made  # takes cv2 with it

    for path in folder.rglob("*.jpg"):
        data = path.read_bytes()
        with Image.open(path) as picture:
            original = picture.height, picture.width
        pixels = made(data, original, size, Form.PLAIN)
        assert pixels
        source = hashlib.sha256(data).hexdigest()
        head = Head(Form.PLAIN, source, original, fitted(original, size), len(pixels))
        path.with_suffix(SUFFIX).write_bytes(b"".join(file_content(head, pixels)))
        path.unlink()


def _draw_picture(root: Path, split: str, number: int, size: int, chance: random.Random) -> None:
    background = tuple(chance.randint(90, 160) for _ in range(3))
    picture = Image.new("RGB", (size, size), background)
    pen = ImageDraw.Draw(picture)
    rows = []
    for _ in range(chance.randint(1, 3)):
        kind = chance.randrange(len(_COLOURS))
        width, height = chance.randint(20, 40), chance.randint(20, 40)
        x, y = chance.randint(0, size - width), chance.randint(0, size - height)
        pen.rectangle((x, y, x + width, y + height), fill=_COLOURS[kind])
        box = ((x + width / 2) / size, (y + height / 2) / size, width / size, height / size)
        rows.append(" ".join([str(kind), *(f"{value:.6f}" for value in box)]))
    picture.save(root / "images" / split / f"{number:03}.jpg")
    (root / "labels" / split / f"{number:03}.txt").write_text("\n".join(rows) + "\n")


def make_spec(root: Path, work: Path, **changes: Any) -> Spec:
    """Return a small spec on the CPU; `options` are laid over the defaults."""
    work.mkdir(mode=0o700, exist_ok=True)
    options = {"epochs": 3, "imgsz": 96, "batch": 8, **changes.pop("options", {})}
    values: dict[str, Any] = {
        "data": Data(root=str(root), names=NAMES),
        "base_model": "yolo26n-scratch",
        "weights": None,
        "options": {**to_train_arguments(default_options()), **options},
        "work_dir": str(work),
        "device": "cpu",
    }
    return Spec(**{**values, **changes})


def environment(config: Path) -> dict[str, str]:
    """Return the environment of a trainer; a secret of ours must not be in it."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{config / 'site'}",
        "YOLO_CONFIG_DIR": str(config),
        "OMP_NUM_THREADS": "1",
        "HOME": str(config),
    }


def watch_programs(config: Path) -> Path:
    """Make trainers with this config write down each connection and program they start.

    Returns:
        The file that they write to.
    """
    site, audit = config / "site", config / "audit.txt"
    site.mkdir()
    hook = f"""
import sys
WATCHED = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec")
def watch(event, values):
    if event in WATCHED:
        with open({str(audit)!r}, "a") as file:
            file.write(f"{{event}} {{values[0]!r}}\\n")
sys.addaudithook(watch)
"""
    (site / "sitecustomize.py").write_text(hook)
    audit.touch()
    return audit


def start_program(arguments: list[str], config: Path, **more: Any) -> "subprocess.Popen[bytes]":
    """Start `python -m training.trainer` as its supervisor does."""
    config.mkdir(exist_ok=True, mode=0o700)
    return subprocess.Popen(
        [sys.executable, "-m", "training.trainer", *arguments],
        env=environment(config),
        cwd=config,
        start_new_session=True,
        **more,
    )


class Trainer:
    """A trainer under test; a context manager that kills it in the end."""

    def __init__(self, connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self.connection = connection
        self.process = process
        self.heard: list[Message] = []
        self._messages = self._read()
        connection.settimeout(SECONDS)

    @classmethod
    def cold(cls, config: Path) -> Self:
        """Start one at an inherited connection."""
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = start_program(["--connect", str(number)], config, pass_fds=(number,))
        return cls(ours, process)

    @classmethod
    def warm(cls, config: Path, path: Path) -> Self:
        """Start a spare and connect to it as soon as it listens."""
        process = start_program(["--listen", str(path)], config)
        deadline = time.monotonic() + SECONDS
        connection = socket.socket(socket.AF_UNIX)
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                connection.connect(str(path))
                break
            time.sleep(0.05)
        return cls(connection, process)

    def say(self, message: Message) -> None:
        """Send one message."""
        self.connection.sendall(encode(message))

    def until(self, kind: str, **values: Any) -> Message:
        """Read on to a message of a kind with these values, and return it."""
        for message in self._messages:
            if message["type"] == kind and values.items() <= message.items():
                return message
        raise AssertionError(f"no {kind} {values}; heard {self.heard[-3:]}")

    def to_the_end(self) -> Message:
        """Read all that is left and return the last message."""
        for _message in self._messages:
            pass
        return self.heard[-1]

    def of(self, kind: str) -> list[Message]:
        """Return what was heard of a kind."""
        return [message for message in self.heard if message["type"] == kind]

    def log(self) -> str:
        """Return the log heard so far."""
        return "\n".join(message["text"] for message in self.of("log"))

    def kill(self) -> None:
        """End it as a fault would, without a word."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> Iterator[Message]:
        reader = LineReader()
        with contextlib.suppress(ConnectionResetError):
            while data := self.connection.recv(65_536):
                for message in reader.feed(data):
                    self.heard.append(message)
                    yield message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_args: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.connection.close()
        self.process.wait()


def train(config: Path, spec: Spec) -> Trainer:
    """Run a spec to its last word, and return the trainer that has ended."""
    with Trainer.cold(config) as trainer:
        trainer.say(spec.as_message())
        trainer.to_the_end()
        trainer.process.wait(timeout=30)
    return trainer
