"""How long S3 is waited for: shortly where people wait, as ever where work is done."""

from typing import Any

import pytest
from django.utils.module_loading import import_string

from cvtrainer_site import env


def client_config(monkeypatch: pytest.MonkeyPatch, process: str) -> Any:
    """Return what the client of a process's storage is really set to."""
    monkeypatch.setenv("STORAGE_URL", "s3://key:secret@127.0.0.1:9/bucket?secure=0")
    monkeypatch.setenv("CVTRAINER_PROCESS", process)
    entry = env.storages(("images",))["images"]
    storage = import_string(str(entry["BACKEND"]))(**entry["OPTIONS"])
    return storage.connection.meta.client.meta.config


def test_the_web_process_gives_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    config = client_config(monkeypatch, "web")
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) < 60


def test_workers_wait_for_the_answer_to_a_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    config = client_config(monkeypatch, "")
    assert config.read_timeout == 60
    assert config.connect_timeout == 5
    assert (config.retries or {}).get("total_max_attempts", 5) == 5
