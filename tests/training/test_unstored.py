"""What would be lost with a host, and when that is too much."""

import pytest

from cvtrainer_site import env
from training.unstored import Unstored


def waits_at(seconds: list[float], *, limit: float, committed: int = 0) -> list[int]:
    """Return the epochs after which a trainer waits, as long as nothing more is committed."""
    unstored, found = Unstored(limit), []
    for number, took in enumerate(seconds, 1):
        unstored.add(number, took)
        if unstored.is_too_much(committed):
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("seconds", "limit", "committed", "waits"),
    [
        ([100, 100, 100], 60, 0, [2, 3]),
        ([3600], 60, 0, []),
        ([20, 20, 20, 20], 60, 0, [4]),
        ([20, 20, 20, 20], 60, 1, []),
        ([1] * 60, 60, 0, []),
        ([1] * 61, 60, 0, [61]),
        ([1, 1, 1], 0, 0, [2, 3]),
        ([1, 1, 1], 0, 2, []),
        ([10, 100], 60, 0, [2]),
        ([100, 100], 600, 0, []),
    ],
)
def test_an_epoch_or_so_many_seconds_may_be_unstored(
    seconds: list[float], limit: float, committed: int, waits: list[int]
) -> None:
    assert waits_at(seconds, limit=limit, committed=committed) == waits


def test_what_is_stored_counts_no_more() -> None:
    unstored = Unstored(60)
    unstored.add(1, 50)
    unstored.add(2, 50)
    assert unstored.is_too_much(0)
    assert not unstored.is_too_much(1)
    unstored.add(3, 50)
    assert unstored.is_too_much(1)
    assert not unstored.is_too_much(3)


@pytest.mark.parametrize("said", ["0", "60", "600.5", "86400"])
def test_the_setting_is_a_number_of_seconds(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CVTRAINER_UNSTORED_SECONDS", said)
    assert env.unstored_seconds() == float(said)


@pytest.mark.parametrize("said", ["-1", "inf", "nan", "86401", "a minute"])
def test_what_the_trainer_would_refuse_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("CVTRAINER_UNSTORED_SECONDS", said)
    with pytest.raises(env.ImproperlyConfigured, match="0 to 86400"):
        env.unstored_seconds()
