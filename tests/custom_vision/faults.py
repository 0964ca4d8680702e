"""Faults that the emulator answers with, and what an import says of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from datasets.models import Import
from jobs.states import Status
from tests.custom_vision.emulator import Answer, Asked, Emulator, Fault


def on(part: str, *answers: Answer, every: bool = False) -> Fault:
    """Answer requests whose path ends with `part`, or for that picture: in turn, then no more."""
    left = list(answers)

    def fault(asked: Asked) -> Answer | None:
        if not (asked.path.endswith(part) or asked.picture == part) or not left:
            return None
        return left[0] if every else left.pop(0)

    return fault


def spoil(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, ids: list[str]) -> None:
    """Let some entries be such that the SDK cannot read them, nor the answers they are in."""
    shown: Callable[[Any], dict[str, Any]] = emulator._shown

    def bad(picture: Any) -> dict[str, Any]:
        row = shown(picture)
        return {**row, "width": "wide"} if row["id"] in ids else row

    monkeypatch.setattr(emulator, "_shown", bad)


def error_body(code: str = "BadRequest") -> bytes:
    """Return what the API says of an error, with something in it that must not be passed on."""
    return json.dumps({"code": code, "message": "?sig=CANARY"}).encode()


def code_of(job: Import) -> str:
    """Return why an import failed."""
    assert job.status == Status.FAILED
    assert job.error is not None
    return str(job.error["code"])
