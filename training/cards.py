"""The graphics cards of this host, as the driver tells them: torch is not loaded for it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DEVICES = Path("/dev")
_QUERY = "index,uuid,name,memory.total,driver_version"
#: Drivers before 2021 do not know it; PyTorch is asked then.
_QUERY_TOO = "compute_cap"
_SECONDS = 30.0
_VISIBLE = "CUDA_VISIBLE_DEVICES"
#: Set where a card was found good for this process, and for whatever it starts.
_DEVICE = "CVTRAINER_DEVICE"


class CardsSilent(Exception):
    """There is a card, and the driver does not tell of it; the text says what it said."""


@dataclass(frozen=True)
class Card:
    """One graphics card; where the driver does not list it, it has no name."""

    uuid: str
    index: int | None = None
    name: str = ""
    memory_mb: int | None = None
    driver: str = ""
    capability: str = ""


def cards_of_host() -> list[Card]:
    """Return the cards that the driver lists; none where there is no driver.

    Raises:
        CardsSilent: there are cards, and the driver does not answer.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        return list(_ask(program))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        if not _has_devices():
            return []  # tools of a driver, and nothing for it to drive
        raise CardsSilent(_said(error)) from error


def own_card() -> Card | None:
    """Return the card that this process is to use, the first it may see; None: the CPU.

    Raises:
        CardsSilent: the driver does not answer, or does not know the card that it is to use.
    """
    chosen = os.environ.get(_VISIBLE)
    wanted = None if chosen is None else chosen.split(",")[0].strip()
    if wanted in {"", "-1", "NoDevFiles"}:
        return None
    found = cards_of_host()
    if wanted is None:
        return found[0] if found else _unlisted("")
    for card in found:
        if wanted == str(card.index) or (not wanted.isdigit() and card.uuid.startswith(wanted)):
            return card
    # Parts of a card (MIG) have names of their own, which the driver does not list here.
    if not found or wanted.startswith("MIG"):
        return _unlisted(wanted)
    raise CardsSilent(f"{_VISIBLE}={chosen}")


def use(card: Card) -> None:
    """Have this process, and whatever it starts, use this card and no other."""
    os.environ[_DEVICE] = "0"
    if card.uuid:
        os.environ[_VISIBLE] = card.uuid


def device() -> str:
    """Return what a trainer is to train on: `0`, the card in use, or `auto` where there is none.

    With a card in use, a trainer that does not see it fails, instead of training on the CPU for
    days.
    """
    return os.environ.get(_DEVICE, "auto")


def _ask(program: str) -> Iterator[Card]:
    try:
        lines = _query(program, f"{_QUERY},{_QUERY_TOO}")
    except subprocess.CalledProcessError:
        lines = _query(program, _QUERY)
    for line in filter(str.strip, lines):
        index, uuid, name, memory, driver, *more = (part.strip() for part in line.split(", "))
        yield Card(
            uuid=uuid,
            index=int(index),
            name=name[:100],
            memory_mb=int(memory) if memory.isdigit() else None,
            driver=driver[:30],
            capability=more[0] if more and more[0][:1].isdigit() else "",
        )


def _query(program: str, columns: str) -> list[str]:
    command = [program, f"--query-gpu={columns}", "--format=csv,noheader,nounits"]
    asked = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        answer, complaint = asked.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        # Not waited for: what hangs in a driver cannot even be killed.
        asked.kill()
        raise
    if asked.returncode:
        raise subprocess.CalledProcessError(asked.returncode, command, answer, complaint)
    return answer.splitlines()


def _unlisted(wanted: str) -> Card | None:
    return Card(uuid=wanted) if _has_devices() else None


def _has_devices() -> bool:
    return any(path.name[6:].isdigit() for path in _DEVICES.glob("nvidia[0-9]*"))


def _said(error: Exception) -> str:
    said = getattr(error, "stdout", None) or getattr(error, "stderr", None) or str(error)
    return " ".join(str(said).split())[:200]
