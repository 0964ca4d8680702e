"""docs/faults.md names no test that is not there."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"
NAMED = re.compile(r"`(?:(\w+)/)?(test_\w+)(?:::(\w+))?[`,]")


def named() -> list[tuple[str, str, str]]:
    found = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    return sorted({(folder or "training", file, name) for folder, file, name in found})


@pytest.mark.parametrize(("folder", "file", "name"), named())
def test_each_named_test_is_there(folder: str, file: str, name: str) -> None:
    text = (TESTS / folder / f"{file}.py").read_text(encoding="utf-8")
    assert not name or re.search(rf"^\s*(class|def) {name}\b", text, re.MULTILINE)


def test_there_are_some() -> None:
    assert len(named()) > 30
