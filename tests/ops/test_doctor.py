"""`manage.py doctor` says in one line each what is well on this host and what is not."""

import os
from pathlib import Path

import pytest

from cvtrainer_site.doctor.host import judge_torch, look_at_shared_memory, look_at_torch
from tests.ops.portal import Portal, free_port, manage
from tests.training.fleet import broken_driver
from training import cards
from training.torch_build import TorchAnswer

_LINES = [
    *("torch", "shm", "disk", "redis", "database", "storage", "secrets", "static", "weights"),
    "fonts",
]
_KERNELS = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]


def test_finds_a_running_portal_well(portal: Portal) -> None:
    report = manage(portal.home, "doctor")
    assert [line.split()[:2] for line in report.stdout.splitlines()] == [
        ["ok", name] for name in _LINES
    ], report.stdout
    assert report.returncode == 0
    assert "DejaVuSans.ttf has Vietnamese" in report.stdout


def test_names_what_is_wrong_and_fails(portal: Portal) -> None:
    (portal.home / "secrets" / "secret_key").chmod(0o644)
    try:
        report = manage(
            portal.home, "doctor", REDIS_URL=f"redis://:hidden@127.0.0.1:{free_port()}/0"
        )
    finally:
        (portal.home / "secrets" / "secret_key").chmod(0o600)
    wrong = [line.split()[1] for line in report.stdout.splitlines() if line.startswith("WRONG")]
    assert wrong == ["redis", "secrets"]
    assert report.returncode == 1
    assert "hidden" not in report.stdout + report.stderr


def test_finds_an_empty_home_well(home) -> None:
    report = manage(home, "doctor", SECRET_KEY="s", FIELD_KEYS="f")
    assert report.returncode == 0, report.stdout
    assert "empty: `make up` makes the tables" in report.stdout


@pytest.mark.parametrize(
    ("cards", "gpus", "is_well", "text"),
    [
        ([], 0, True, "no GPU: trains on the CPU"),
        ([("Tesla T4", 7, 5)], 1, True, "Tesla T4"),
        ([("RTX 4090", 8, 9)], 1, True, "RTX 4090"),  # runs the kernels of 8.6
        ([("Tesla K80", 3, 7)], 1, False, "no kernels for Tesla K80 (sm_37)"),
        ([("B200", 10, 0)], 1, False, "no kernels for B200 (sm_100)"),
        ([], 2, False, "sees 0 of 2 GPUs"),
    ],
)
def test_compares_pytorch_with_the_cards(
    cards: list[tuple[str, int, int]], gpus: int, is_well: bool, text: str
) -> None:
    answer = TorchAnswer(version="2.10.0", cuda="12.8", kernels=_KERNELS, cards=cards)
    finding = judge_torch(answer, expected_gpus=gpus)
    assert (finding.is_well, text in finding.text) == (is_well, True), finding.text


def test_takes_a_driver_that_does_not_answer_for_no_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "_DEVICES", tmp_path)
    (tmp_path / "nvidia0").touch()
    folder = broken_driver(tmp_path / "bin", said="GPU has fallen off the bus")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    finding = look_at_torch()
    assert not finding.is_well
    assert "GPU has fallen off the bus" in finding.text


def test_finds_an_opencv_that_does_not_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({missing!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = look_at_torch()
    assert (finding.is_well, missing in finding.text) == (False, True), finding.text


def test_misses_shared_memory(tmp_path) -> None:
    assert not look_at_shared_memory(tmp_path / "missing").is_well
