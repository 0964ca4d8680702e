"""What machines that watch the portal are told."""

from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import Client

from accounts.models import User
from cvtrainer_site import health
from tests.factories import make_run
from tests.services.valkey import Valkey

QUEUES = ("imports", "training", "detection")


@pytest.fixture
def workers(valkey: Valkey) -> None:
    """One live worker of each queue, as RQ registers it."""
    with valkey.client() as client:
        for queue in QUEUES:
            key = f"rq:worker:{queue}-1"
            client.hset(key, "queues", queue)
            client.sadd(f"rq:workers:{queue}", key)


@pytest.mark.usefixtures("workers")
class TestReady:
    """`/readyz`."""

    def test_all_is_there(self, db: None) -> None:
        answer = Client().get("/readyz")

        assert answer.status_code == 200
        parts = {"database", "redis", "storage", *(f"workers:{queue}" for queue in QUEUES)}
        assert answer.json() == {"status": "ok", "checks": dict.fromkeys(parts, True)}

    def away(self) -> set[str]:
        answer = Client(headers={"accept-language": "en"}).get("/readyz")
        assert answer.status_code == 503
        assert answer["Content-Type"] == "application/problem+json"
        assert int(answer["Retry-After"]) > 0
        body = answer.json()
        named = {error["field"] for error in body["errors"]}
        assert named == {name for name, is_there in body["checks"].items() if not is_there}
        assert all(name in body["detail"] for name in named)
        return named

    def test_a_worker_that_fell_silent(self, db: None, valkey: Valkey) -> None:
        with valkey.client() as client:
            client.delete("rq:worker:training-1")

        assert self.away() == {"workers:training"}

    def test_redis_killed(self, db: None, valkey: Valkey) -> None:
        valkey.kill()

        assert self.away() == {"redis", *(f"workers:{queue}" for queue in QUEUES)}

    def test_redis_hanging(self, db: None, valkey: Valkey) -> None:
        valkey.freeze()
        try:
            assert "redis" in self.away()
        finally:
            valkey.thaw()

    def test_the_database_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # No database is set up for this test: asking for it fails as it would if it were away.
        assert self.away() == {"database"}

    def test_storage_that_cannot_be_written(
        self, db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health.os, "access", lambda *_: False)

        assert self.away() == {"storage"}


def test_the_process_answers_without_anything_else() -> None:
    answer = Client().get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-cache" in answer["Cache-Control"]


class TestMetrics:
    """`/metrics`."""

    def test_for_staff(self, admin: User, workers: None) -> None:
        make_run()
        client = Client()
        client.force_login(admin)

        text = client.get("/metrics").content.decode()

        assert 'cvtrainer_jobs{kind="training-runs",status="queued"} 1.0' in text
        assert 'cvtrainer_jobs{kind="imports",status="failed"} 0.0' in text
        assert 'cvtrainer_workers{queue="training"} 1.0' in text
        assert 'cvtrainer_oldest_queued_seconds{kind="training-runs"}' in text
        assert "process_resident_memory_bytes" in text

    @pytest.mark.parametrize(
        ("networks", "status"), [([], 404), (["10.0.0.0/8"], 404), (["127.0.0.0/8"], 200)]
    )
    def test_for_a_configured_network(
        self, db: None, settings: Any, networks: list[str], status: int
    ) -> None:
        settings.METRICS_NETWORKS = networks

        assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == status

    def test_while_redis_is_away(self, admin: User, valkey: Valkey) -> None:
        valkey.kill()
        client = Client()
        client.force_login(admin)

        assert 'cvtrainer_workers{queue="training"} NaN' in client.get("/metrics").content.decode()

    def test_its_default_is_nobody(self) -> None:
        assert site_settings.METRICS_NETWORKS == []
