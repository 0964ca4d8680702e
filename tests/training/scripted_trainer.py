"""A trainer that trains nothing: it speaks the protocol and does what a script says, or goes wrong.

In place of `training.trainer` where a test is about its supervisor and a fault that cannot be had
for real: a GPU that fails, memory that runs out in a certain epoch. It is a process of its own with
a connection of its own. Its checkpoints say of which run and epoch they are, and it goes on from no
other.

The script is a JSON file: a list with one entry for each start, the last one for all that follow.
    epochs    seconds that an epoch takes (default 0.02)
    weights   bytes that a checkpoint has at least
    batch     what it uses in place of what it was told, as where it had to halve it
    after     the epoch after which it goes wrong (default: never)
    fail      the `failed` that it says then: code, detail, batch
    signal    the signal that it sends itself then
    exit      the status with which it leaves then, without a word
    count     a file to which it writes then that the kernel killed for memory
    flood     so many lines that it logs then
"""

import argparse
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from training.messages import PROTOCOL, Message, Resume, Spec
from training.wire import LineReader, encode

TOLD = {"lr": 0.01, "images_per_second": 10.0, "gpu_memory_mb": None}
FIGURES = {"precision": 0.5, "recall": 0.5, "map50": 0.5, "map50_95": 0.3}


def checkpoint_text(epoch: int) -> str:
    """Return what a checkpoint of this trainer holds."""
    return f"weights of epoch {epoch}"


class Trainer:
    """One start of it."""

    def __init__(self, connection: socket.socket, script: dict[str, Any]) -> None:
        self.connection = connection
        self.script = script
        self.spec: Spec | None = None
        self.stop = threading.Event()
        self.has_spec = threading.Event()

    def run(self) -> None:
        """Take a spec and train, so to speak."""
        threading.Thread(target=self.listen, daemon=True).start()
        hello = {"type": "hello", "protocol": PROTOCOL, "pid": os.getpid(), "warm": False}
        self.say({**hello, "versions": {}})
        self.has_spec.wait()
        spec = self.spec
        assert spec is not None
        note_spec(spec)
        begun = self.first_epoch(spec.resume)
        batch = int(spec.options["batch"])
        self.say(
            {
                "type": "started",
                "device": "Scripted",
                "batch": batch,
                "optimizer": "SGD",
                "imgsz": spec.options["imgsz"],
                "lr0": 0.01,
            }
        )
        last = begun - 1
        is_over = spec.resume is not None and spec.resume.finalise
        for epoch in range(begun, 0 if is_over else int(spec.options["epochs"]) + 1):
            if epoch == self.script.get("after", -1) + 1:
                self.go_wrong()
            self.epoch(spec, epoch, int(self.script.get("batch", batch)))
            last = epoch
            if self.stop.is_set():
                break
        self.done(spec, last)

    def first_epoch(self, resume: Resume | None) -> int:
        """Return where to begin; a checkpoint of another epoch is refused."""
        if resume is None:
            return 1
        if Path(resume.last).read_text() != checkpoint_text(resume.epoch):
            self.fail("checkpoint_mismatch", "of another epoch")
        return resume.epoch + 1

    def epoch(self, spec: Spec, epoch: int, batch: int) -> None:
        began = time.monotonic()
        progress = {"type": "progress", "phase": "train", "epoch": epoch, "done": 1, "total": 2}
        self.say(progress)
        time.sleep(float(self.script.get("epochs", 0.02)))
        is_best = epoch % 2 == 1
        best = self.file(spec, epoch, "best") if is_best else None
        self.say({"type": "log", "level": "info", "text": f"epoch {epoch} is done"})
        self.say(
            {
                **TOLD,
                "type": "epoch",
                "epoch": epoch,
                "batch": batch,
                "is_best": is_best,
                "checkpoint": self.file(spec, epoch, "last"),
                "best_checkpoint": best,
                "train": {"box_loss": 1 / epoch},
                "val": FIGURES,
                "fitness": epoch,
                "seconds": time.monotonic() - began,
            }
        )

    def file(self, spec: Spec, epoch: int, kind: str) -> Message:
        path = Path(spec.work_dir) / f"{epoch}-{kind}.pt"
        content = checkpoint_text(epoch).encode().ljust(self.script.get("weights", 0), b"\0")
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return {"path": str(path), "sha256": digest, "size": len(content)}

    def done(self, spec: Spec, last: int) -> None:
        best = Path(spec.work_dir) / "best.pt"
        best.write_text("the best")
        self.say(
            {
                "type": "done",
                "epochs_run": last,
                "artifacts": [],
                "best_path": str(best),
                "stopped_early": last < int(spec.options["epochs"]),
                "stop_reason": "asked",
                "best": {"epoch": last},
                "metrics": {**FIGURES, "per_class": []},
            }
        )

    def go_wrong(self) -> None:
        """Do what the script says of this moment."""
        if path := self.script.get("count"):
            Path(path).write_text("oom_kill 1\n")
        for number in range(self.script.get("flood", 0)):
            self.say({"type": "log", "level": "info", "text": f"line {number} of a flood"})
        if failure := self.script.get("fail"):
            self.fail(**failure)
        if number := self.script.get("signal"):
            os.kill(os.getpid(), number)
        if "exit" in self.script:
            os._exit(int(self.script["exit"]))

    def fail(self, code: str, detail: str = "", batch: int = 0) -> None:
        assert self.spec is not None
        epoch = int(self.script.get("after", 0))
        failed = {"type": "failed", "code": code, "detail": detail, "epoch": epoch, "batch": batch}
        self.say(failed)
        self.connection.shutdown(socket.SHUT_WR)
        time.sleep(10)  # it is taken down
        sys.exit(1)

    def say(self, message: Message) -> None:
        self.connection.sendall(encode(message))

    def listen(self) -> None:
        reader = LineReader()
        while data := self.connection.recv(65_536):
            for message in reader.feed(data):
                if message["type"] == "stop":
                    self.stop.set()
                elif message["type"] == "spec":
                    self.spec = Spec.from_message(message)
                    self.has_spec.set()
        os.killpg(0, signal.SIGKILL)


def note_spec(spec: Spec) -> None:
    """Leave for the test what this start was told."""
    told = Path(sys.argv[-1]).with_suffix(".told")
    with told.open("a", encoding="utf-8") as file:
        file.write(json.dumps(spec.as_message()) + "\n")


def main() -> None:
    """Serve one supervisor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connect", type=int)
    parser.add_argument("script", type=Path)
    options = parser.parse_args()
    scripts = json.loads(options.script.read_text())
    told = options.script.with_suffix(".told")
    starts = len(told.read_text().splitlines()) if told.exists() else 0
    Trainer(socket.socket(fileno=options.connect), scripts[min(starts, len(scripts) - 1)]).run()


if __name__ == "__main__":
    main()
