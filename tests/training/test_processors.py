"""The processors that may be used are those of the container, not those of its host."""

import os
from pathlib import Path

import pytest

from training import processors


@pytest.mark.parametrize(
    ("quota", "allowed"),
    [
        ("200000 100000", 2),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("6400000 100000", 16),
        ("max 100000", 16),
        ("", 16),
        ("100000 0", 16),
    ],
)
def test_a_quota_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, allowed: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(processors, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    assert processors.processors() == allowed


def test_where_there_is_no_quota_the_system_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processors, "_QUOTA", tmp_path / "none")
    assert processors.processors() == len(os.sched_getaffinity(0))
