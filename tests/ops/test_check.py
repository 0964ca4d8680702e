"""`make check` shows what each check said, also where it passed."""

import sys

import pytest

from scripts.check import passes


@pytest.mark.parametrize(("status", "word"), [(0, "ok"), (3, "FAILED")])
def test_what_a_check_says_is_shown(
    status: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check = f"print('left out: gettext'); raise SystemExit({status})"

    assert passes("translations", (sys.executable, "-c", check), {}) is (status == 0)

    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["translations", word]
    assert second == "    left out: gettext"


def test_a_silent_check_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert passes("lint", (sys.executable, "-c", ""), {})

    assert len(capsys.readouterr().out.splitlines()) == 1
