"""Workers with cards that this machine has not: what the driver and PyTorch would say of them.

Only these two answers are made up. The driver's is given by a program named nvidia-smi, first on
the PATH; PyTorch's by a process that prints it. A training takes a moment here and makes no model.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.reporter import Reporter
from training.models import TrainingRun
from training.own_card import OwnCard
from training.worker import TrainingWorker

#: The architectures of the build that is pinned.
KERNELS = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
T4 = {"uuid": "GPU-4d5f-t4", "name": "Tesla T4", "memory": 15360, "capability": "7.5"}
K80 = {"uuid": "GPU-9a01-k80", "name": "Tesla K80", "memory": 11441, "capability": "3.7"}

_PROGRAM = """#!{python}
import sys
cards, knows_capability = {cards!r}, {knows_capability!r}
if "compute_cap" in sys.argv[1] and not knows_capability:
    sys.exit('Field "compute_cap" is not a valid field to query.')
for index, card in enumerate(cards):
    line = [index, card["uuid"], card["name"], card["memory"], "535.183.01"]
    print(", ".join(map(str, line + [card["capability"]] * ("compute_cap" in sys.argv[1]))))
"""


def driver(folder: Path, *cards: dict[str, Any], knows_capability: bool = True) -> Path:
    """Make a driver that lists these cards; return the folder to put on the PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(
        _PROGRAM.format(python=sys.executable, cards=cards, knows_capability=knows_capability)
    )
    program.chmod(0o755)
    return folder


def broken_driver(folder: Path, *, said: str) -> Path:
    """Make a driver that answers with an error."""
    program = driver(folder) / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit 9\n")
    return folder


def torch_that_sees(*cards: dict[str, Any]) -> "subprocess.Popen[str]":
    """Start a process that answers as PyTorch would beside these cards."""
    seen = [[card["name"], *map(int, card["capability"].split("."))] for card in cards]
    answer = {"version": "2.10.0+cu128", "cuda": "12.8", "kernels": KERNELS, "cards": seen}
    return subprocess.Popen(
        [sys.executable, "-c", f"print({json.dumps(answer)!r})"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class MadeUpCard(OwnCard):
    """A card of a host that is not here."""

    def __init__(self, *cards: dict[str, Any], locks: Path | None = None) -> None:
        super().__init__(locks=locks)
        self.cards = cards

    def start_torch(self) -> "subprocess.Popen[str]":
        """Answer for the cards."""
        return torch_that_sees(*self.cards)


class QuickWorker(TrainingWorker):
    """Trains in a moment, on the CPU."""

    cards: tuple[dict[str, Any], ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        import training.supervisor

        training.supervisor.train = _train  # type: ignore[assignment]
        if self.cards:
            found = driver(Path(settings.HOME) / f"driver-{os.getpid()}", *self.cards)
            os.environ["PATH"] = f"{found}:{os.environ['PATH']}"
        super().__init__(*args, **kwargs)
        # Nobody takes it, and it costs seconds of the processor.
        self._spare.ensure = lambda: None  # type: ignore[method-assign]

    def make_card(self, locks: Path | None) -> OwnCard:
        """Return a card that PyTorch answers for."""
        return MadeUpCard(*self.cards, locks=locks)


class T4Worker(QuickWorker):
    """A worker with a T4."""

    cards = (T4,)


class K80Worker(QuickWorker):
    """A worker with a card that the build has no kernels for."""

    cards = (K80,)


def _train(run: TrainingRun, reporter: Reporter) -> None:
    """Be on for as many tenths of a second as the run has epochs."""
    for _ in range(int(run.options["epochs"])):
        reporter.raise_if_cancelled()
        time.sleep(0.1)
