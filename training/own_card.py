"""The card that a worker's jobs run on: found, taken for this worker alone, and judged.

A card that PyTorch here has no code for, or does not see, is refused before anything is claimed:
the run would fail on it, or train on the CPU for days. Nothing here waits; it is asked again and
again.
"""

import fcntl
import logging
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.worker import Admission
from jobs.worker_rows import WorkerState
from training import cards, torch_build
from training.cards import Card, CardsSilent
from training.gpu_classes import CPU, gpu_class
from training.kernels import has_kernels
from training.torch_build import TorchAnswer, TorchBroken

log = logging.getLogger(__name__)

#: How often the driver is asked again: a card may fall off, or come back.
_AGAIN_SECONDS = 60.0
_TORCH_SECONDS = 180.0

Reason = dict[str, Any] | None


class OwnCard:
    """What is known of it so far.

    Args:
        locks: a folder that all workers of the host share; a worker of training has its card alone.
            None where it may be shared.
    """

    def __init__(self, *, locks: Path | None = None) -> None:
        self._locks = locks
        self._lock: int | None = None
        self._card: Card | None = None
        self._looked_at: float | None = None
        self._silence: Reason = None
        self._asked: subprocess.Popen[str] | None = None
        self._asked_at = 0.0
        self._answer: TorchAnswer | None = None
        self._verdict: Reason = None

    def admission(self) -> Admission:
        """Go on finding out, and tell how far it is: IDLE where jobs may run."""
        if self._must_look:
            self._look()
        if self._silence is not None:
            return WorkerState.REFUSED, self._silence
        if self._card is None:
            return WorkerState.IDLE, None
        if not self._has_it_alone(self._card):
            return WorkerState.WAITING, _reason("card_taken", card=self._name)
        if self._answer is None and self._verdict is None and not self._hear_torch(self._card):
            return WorkerState.STARTING, None
        if self._verdict is not None:
            return WorkerState.REFUSED, self._verdict
        return WorkerState.IDLE, None

    def look_again(self) -> None:
        """Have the driver asked once more before the next job, without waiting for its time."""
        if self._card is not None:
            self._looked_at = None

    def start_torch(self) -> "subprocess.Popen[str]":
        """Start the process that asks PyTorch."""
        return torch_build.start_asking()

    @property
    def gpu_class(self) -> str:
        """The class of the card; empty while it is not known."""
        if self._looked_at is None and self._card is None:
            return ""
        if self._card is None:
            return CPU if self._silence is None else ""
        return gpu_class(self._name) if self._name else ""

    def columns(self) -> dict[str, Any]:
        """Return what the worker's row says of it."""
        card, answer = self._card or Card(uuid=""), self._answer
        _name, *capability = self._seen or ("",)
        return {
            "gpu_name": self._name[:100],
            "gpu_uuid": card.uuid[:64],
            "gpu_memory_mb": card.memory_mb,
            "gpu_class": self.gpu_class,
            "compute_capability": (card.capability or ".".join(map(str, capability)))[:8],
            "driver": card.driver,
            "torch": (answer["version"] if answer else torch_build.installed_version())[:40],
            "cuda": ((answer["cuda"] if answer else None) or "")[:20],
        }

    @property
    def _must_look(self) -> bool:
        if self._looked_at is None:
            return True
        is_old = time.monotonic() - self._looked_at > _AGAIN_SECONDS
        return is_old and (self._card is not None or self._silence is not None)

    @property
    def _seen(self) -> tuple[str, int, int] | None:
        """The card as PyTorch sees it: its name and capability."""
        return self._answer["cards"][0] if self._answer and self._answer["cards"] else None

    @property
    def _name(self) -> str:
        """The name by the driver, else by PyTorch."""
        if self._card is None:
            return ""
        return self._card.name or (self._seen[0] if self._seen else "")

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            card = cards.own_card()
        except CardsSilent as silent:
            log.error("The graphics card does not answer: %s", silent)
            self._silence = _reason("card_silent", detail=str(silent))
            return
        self._silence = None
        if card is None and self._card is not None:
            log.error("The graphics card is gone: %s", self._name)
            self._silence = _reason("card_gone", card=self._name or self._card.uuid)
        elif card is not None and self._card is None:
            cards.use(card)
            self._card = card

    def _has_it_alone(self, card: Card) -> bool:
        """Take the card where nobody has it; kept until this process and its children are gone."""
        if self._locks is None or self._lock is not None or not card.uuid:
            return True
        self._locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = "".join(letter for letter in card.uuid if letter.isalnum() or letter == "-")
        descriptor = os.open(self._locks / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    def _hear_torch(self, card: Card) -> bool:
        """Ask PyTorch, or see whether it has answered."""
        if self._asked is None:
            self._asked, self._asked_at = self.start_torch(), time.monotonic()
        is_late = time.monotonic() - self._asked_at > _TORCH_SECONDS
        if self._asked.poll() is None and not is_late:
            return False
        try:
            self._answer = torch_build.answer_of(self._asked, seconds=1.0)
            self._verdict = judge(card, self._answer)
        except (TorchBroken, ValueError, IndexError) as broken:
            self._verdict = _reason("torch_broken", detail=str(broken))
        if self._verdict is not None:
            log.error("This worker refuses its card: %s", self._verdict)
        return True


def judge(card: Card, answer: TorchAnswer) -> Reason:
    """Return why PyTorch cannot use a card, or None where it can."""
    torch = f"{answer['version']} (CUDA {answer['cuda']})"
    if not answer["cards"]:
        return _reason("card_unseen", card=card.name, driver=card.driver, torch=torch)
    name, major, minor = answer["cards"][0]
    if not has_kernels(major, minor, answer["kernels"]):
        capability = f"{major}.{minor}"
        return _reason("card_unsupported", card=name, capability=capability, torch=torch)
    return None


def _reason(code: str, **params: Any) -> dict[str, Any]:
    return UserError(code, **params).as_row()
