"""How an import calls: not too often, not too many at once, and nobody but Custom Vision."""

import pytest
import requests

from jobs.states import Status
from tests.custom_vision.conftest import ImportIt, fill
from tests.custom_vision.emulator import Emulator
from tests.datasets.importing import warnings_of

pytestmark = pytest.mark.django_db(transaction=True)

#: Documented for the API, in a second.
DOCUMENTED = 10
CONNECTIONS = 16


def most_in_a_second(emulator: Emulator) -> int:
    """Return the most calls of the API that came within one second."""
    times = sorted(asked.at for asked in emulator.asked if asked.is_of_api)
    return max(sum(start <= at < start + 1 for at in times) for start in times)


def test_pictures_come_over_so_many_connections(emulator: Emulator, import_it: ImportIt) -> None:
    fill(emulator, 120)
    emulator.latency = 0.1
    assert import_it().version.images_total == 120
    assert CONNECTIONS // 2 <= emulator.most_at_once <= CONNECTIONS
    assert most_in_a_second(emulator) <= DOCUMENTED


def test_pictures_of_a_private_network_count_for_the_rate_of_the_api(
    emulator: Emulator, import_it: ImportIt
) -> None:
    """Several are under way at once all the same: one answer takes longer than one turn."""
    fill(emulator, 24)
    emulator.relative_links, emulator.latency = True, 0.4
    assert import_it().version.images_total == 24
    assert most_in_a_second(emulator) <= DOCUMENTED
    assert 2 <= emulator.most_at_once <= CONNECTIONS


@pytest.mark.parametrize("is_private", [False, True])
def test_proxies_of_the_environment_do_not_matter(
    emulator: Emulator, import_it: ImportIt, monkeypatch: pytest.MonkeyPatch, *, is_private: bool
) -> None:
    """A proxy would see the key, or stand in the way, as this one that is dead."""
    fill(emulator, 6)
    emulator.relative_links = is_private
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get(emulator.endpoint, timeout=5)
    job = import_it()
    assert (job.status, job.version.images_total) == (Status.SUCCEEDED, 6)
    assert warnings_of(job) == {}
