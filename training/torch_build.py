"""What PyTorch can do on this host: asked in a process of its own, for it is 250 MB."""

import importlib.metadata
import json
import subprocess
import sys
from functools import cache
from typing import TypedDict

# YOLO needs OpenCV too.
_ASK = """
import json, cv2, torch
cards = range(torch.cuda.device_count())
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda,
    "kernels": torch.cuda.get_arch_list(),
    "cards": [[torch.cuda.get_device_name(i), *torch.cuda.get_device_capability(i)] for i in cards],
}))
"""


class TorchBroken(Exception):
    """PyTorch does not start here; the text is its last word."""


class TorchAnswer(TypedDict):
    """What PyTorch says of itself: its kernels (`sm_80`), and each card's name and capability."""

    version: str
    cuda: str | None
    kernels: list[str]
    cards: list[tuple[str, int, int]]


def start_asking() -> "subprocess.Popen[str]":
    """Start the process that asks; `answer_of` reads what it found."""
    return subprocess.Popen(
        [sys.executable, "-c", _ASK],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer_of(asked: "subprocess.Popen[str]", *, seconds: float | None = None) -> TorchAnswer:
    """Wait for the answer.

    Raises:
        TorchBroken: there is none.
    """
    try:
        answer, complaint = asked.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Not waited for: what hangs in a driver cannot even be killed.
        asked.kill()
        raise TorchBroken("no answer") from None
    if asked.returncode:
        lines = complaint.strip().splitlines() or [f"exit status {asked.returncode}"]
        raise TorchBroken(lines[-1][:300])
    # What else is printed at its start stands before.
    found: TorchAnswer = json.loads(answer.strip().splitlines()[-1])
    return found


@cache
def installed_version() -> str:
    """Return the version of PyTorch here without loading it; empty where there is none."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""
