"""The card of a worker: found by the driver, one worker's alone, refused where it is no use."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

import training.errors  # noqa: F401  registers the codes
from jobs.errors import describe
from jobs.worker_rows import WorkerState
from tests.training.fleet import K80, T4, MadeUpCard, broken_driver, driver
from training import cards, own_card, torch_build
from training.cards import Card, CardsSilent
from training.gpu_classes import PATTERN, gpu_class
from training.kernels import has_kernels
from training.own_card import OwnCard, judge

OTHER = {**T4, "uuid": "GPU-77aa-t4"}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "CVTRAINER_DEVICE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Put a driver first on the PATH."""

    def put(folder: Path) -> None:
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


def settled(card: OwnCard) -> Any:
    """Ask until the card is found good or not."""
    deadline = time.monotonic() + 20
    while (found := card.admission())[0] == WorkerState.STARTING:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Tesla T4", "t4"),
        ("NVIDIA T4", "t4"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla V100S-PCIE-32GB", "v100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA A100 80GB PCIe", "a100"),
        ("A100-SXM4-40GB MIG 1g.5gb", "a100-1g.5gb"),
        ("NVIDIA A10G", "a10g"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4", "l4"),
        ("Tesla P100-PCIE-16GB", "p100"),
        ("Tesla K80", "k80"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA RTX A6000", "rtxa6000"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx6000ada"),
        ("Quadro P4000", "p4000"),
        ("NVIDIA GeForce GTX 1080 Ti", "gtx1080ti"),
        ("NVIDIA T400 4GB", "t400"),
        ("Nvidia", "gpu"),
    ],
)
def test_a_kind_of_card_has_one_word(name: str, word: str) -> None:
    import re

    assert gpu_class(name) == word
    assert re.fullmatch(PATTERN, word)


def test_kernels_are_matched_to_the_card() -> None:
    """V100 needs sm_70; a newer card of the same generation, or portable code, will do."""
    listed = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
    assert all(has_kernels(*card, listed) for card in ((7, 0), (7, 5), (8, 0), (8, 9), (9, 0)))
    assert not has_kernels(6, 1, listed)
    assert not has_kernels(12, 0, listed)
    assert not has_kernels(7, 0, ["sm_75", "sm_90a", "sm_100"])
    assert has_kernels(12, 1, ["compute_120"])


class TestTheDriver:
    @pytest.mark.parametrize("knows_capability", [True, False])
    def test_lists_cards_in_old_and_new_releases(
        self, on_path: Any, tmp_path: Path, knows_capability: bool
    ) -> None:
        on_path(driver(tmp_path / "bin", T4, K80, knows_capability=knows_capability))
        first, second = cards.cards_of_host()
        capability = "7.5" if knows_capability else ""
        assert first == Card("GPU-4d5f-t4", 0, "Tesla T4", 15360, "535.183.01", capability)
        assert second.index == 1

    @pytest.mark.parametrize(
        ("visible", "uuid"),
        [
            (None, "GPU-4d5f-t4"),
            ("1", "GPU-77aa-t4"),
            ("GPU-77aa", "GPU-77aa-t4"),
            ("1,0", "GPU-77aa-t4"),
            ("", None),
            ("-1", None),
        ],
    )
    def test_knows_which_card_is_ours(
        self,
        on_path: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        visible: str | None,
        uuid: str | None,
    ) -> None:
        on_path(driver(tmp_path / "bin", T4, OTHER))
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        card = cards.own_card()
        assert (card and card.uuid) == uuid

    def test_without_cards_means_the_cpu_with_some_a_fault(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cards, "_DEVICES", tmp_path)
        on_path(broken_driver(tmp_path / "bin", said="No devices were found"))
        assert cards.own_card() is None
        (tmp_path / "nvidia0").touch()
        with pytest.raises(CardsSilent, match="No devices were found"):
            cards.own_card()

    def test_that_does_not_know_the_card_is_a_fault(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on_path(driver(tmp_path / "bin", T4))
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
        with pytest.raises(CardsSilent):
            cards.own_card()


class TestOwnCard:
    def test_a_cpu_trains_at_once(self) -> None:
        card = OwnCard()
        assert card.admission() == (WorkerState.IDLE, None)
        assert cards.device() == "auto"
        told = card.columns()
        assert (told["gpu_class"], told["gpu_name"]) == ("cpu", "")
        assert told["torch"] == torch_build.installed_version() != ""

    def test_a_good_one_is_taken_and_told(self, on_path: Any, tmp_path: Path) -> None:
        on_path(driver(tmp_path / "bin", T4, OTHER))
        card = MadeUpCard(T4, locks=tmp_path / "locks")
        assert card.admission()[0] == WorkerState.STARTING
        assert card.columns()["gpu_class"] == "t4"
        assert settled(card) == (WorkerState.IDLE, None)
        assert card.columns() == {
            "gpu_name": "Tesla T4",
            "gpu_uuid": "GPU-4d5f-t4",
            "gpu_memory_mb": 15360,
            "gpu_class": "t4",
            "compute_capability": "7.5",
            "driver": "535.183.01",
            "torch": "2.10.0+cu128",
            "cuda": "12.8",
        }
        # Whatever it starts sees this card alone, by a name that CUDA and driver share.
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-4d5f-t4"
        # And a trainer that does not find it must not go to the CPU instead.
        assert cards.device() == "0"

    def test_one_without_kernels_is_refused_in_words(self, on_path: Any, tmp_path: Path) -> None:
        on_path(driver(tmp_path / "bin", K80))
        state, reason = settled(MadeUpCard(K80))
        assert state == WorkerState.REFUSED
        message, hint = describe(reason["code"], reason["params"])
        assert "Tesla K80" in message and "3.7" in message and "2.10.0+cu128" in message
        assert "{" not in message + hint and hint

    def test_one_that_pytorch_does_not_see_is_refused(self, on_path: Any, tmp_path: Path) -> None:
        """This machine's own PyTorch is asked, which has no card."""
        on_path(driver(tmp_path / "bin", T4))
        state, reason = settled(OwnCard())
        assert (state, reason["code"]) == (WorkerState.REFUSED, "card_unseen")

    def test_a_pytorch_that_does_not_start_is_told(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on_path(driver(tmp_path / "bin", T4))
        monkeypatch.setattr(torch_build, "_ASK", "raise ImportError('libcudart.so.12')")
        state, reason = settled(OwnCard())
        assert (state, reason["code"]) == (WorkerState.REFUSED, "torch_broken")
        assert "libcudart.so.12" in reason["params"]["detail"]

    def test_one_that_falls_off_is_left_alone_until_it_is_back(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cards, "_DEVICES", tmp_path)
        (tmp_path / "nvidia0").touch()
        on_path(driver(tmp_path / "bin", T4))
        card = MadeUpCard(T4)
        assert settled(card)[0] == WorkerState.IDLE
        broken_driver(tmp_path / "bin", said="Unable to determine the device handle: Xid 79")
        assert card.admission()[0] == WorkerState.IDLE  # during a run nobody asks
        card.look_again()
        state, reason = card.admission()
        assert (state, reason["code"]) == (WorkerState.REFUSED, "card_silent")
        assert "Xid 79" in reason["params"]["detail"]
        driver(tmp_path / "bin", T4)
        assert card.admission()[0] == WorkerState.REFUSED  # asked again after a minute
        monkeypatch.setattr(own_card, "_AGAIN_SECONDS", 0.0)
        assert card.admission()[0] == WorkerState.IDLE

    def test_one_that_is_lost_while_nothing_is_to_do_takes_nothing_more(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither driver nor device is left, as where a container lost its card."""
        monkeypatch.setattr(cards, "_DEVICES", tmp_path)
        on_path(driver(tmp_path / "bin", T4))
        card = MadeUpCard(T4)
        assert settled(card)[0] == WorkerState.IDLE
        broken_driver(tmp_path / "bin", said="No devices were found")
        assert card.admission()[0] == WorkerState.IDLE
        monkeypatch.setattr(own_card, "_AGAIN_SECONDS", 0.0)
        state, reason = card.admission()
        assert (state, reason["code"]) == (WorkerState.REFUSED, "card_gone")
        assert "Tesla T4" in describe(reason["code"], reason["params"])[0]
        driver(tmp_path / "bin", T4)
        assert card.admission()[0] == WorkerState.IDLE

    def test_a_driver_that_hangs_does_not_hold_the_worker(
        self, on_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cards, "_DEVICES", tmp_path)
        monkeypatch.setattr(cards, "_SECONDS", 0.2)
        (tmp_path / "nvidia0").touch()
        program = driver(tmp_path / "bin") / "nvidia-smi"
        program.write_text("#!/bin/sh\nsleep 20\n")
        on_path(program.parent)
        began = time.monotonic()
        with pytest.raises(CardsSilent):
            cards.own_card()
        assert time.monotonic() - began < 5

    def test_has_one_worker_at_a_time(self, on_path: Any, tmp_path: Path) -> None:
        on_path(driver(tmp_path / "bin", T4, OTHER))
        locks = tmp_path / "locks"
        first, second = (MadeUpCard(T4, locks=locks) for _ in range(2))
        assert settled(first)[0] == WorkerState.IDLE
        state, reason = settled(second)
        assert (state, reason["code"]) == (WorkerState.WAITING, "card_taken")
        assert first._lock is not None
        os.close(first._lock)
        assert settled(second)[0] == WorkerState.IDLE

    def test_may_be_shared_by_who_takes_no_lock(self, on_path: Any, tmp_path: Path) -> None:
        on_path(driver(tmp_path / "bin", T4))
        assert settled(MadeUpCard(T4, locks=tmp_path / "locks"))[0] == WorkerState.IDLE
        assert settled(MadeUpCard(T4))[0] == WorkerState.IDLE


def test_what_the_driver_does_not_list_is_named_by_pytorch() -> None:
    """A part of a card (MIG), or a container without the driver's tools."""
    card = OwnCard()
    card._looked_at, card._card = 0.0, Card(uuid="MIG-1")
    name = "NVIDIA A100-SXM4-40GB MIG 1g.5gb"
    card._answer = {"version": "2", "cuda": "12.8", "kernels": ["sm_80"], "cards": [(name, 8, 0)]}
    assert judge(Card(uuid="MIG-1"), card._answer) is None
    told = card.columns()
    assert (told["gpu_class"], told["compute_capability"]) == ("a100-1g.5gb", "8.0")
