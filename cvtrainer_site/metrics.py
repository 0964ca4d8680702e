"""Figures for Prometheus: jobs, queues and workers, read when they are asked for."""

from collections.abc import Iterator

import redis
from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cvtrainer_site.health import workers_alive
from jobs.registry import job_models
from jobs.states import Status

REGISTRY = CollectorRegistry()


class PortalCollector(Collector):
    """Counts rows and workers at the moment of the question."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield each family of figures."""
        yield _jobs()
        yield _oldest_waiting()
        yield _workers()

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing beforehand, so that starting the process asks no database."""
        return []


def _jobs() -> GaugeMetricFamily:
    family = GaugeMetricFamily("cvtrainer_jobs", "Jobs by state", labels=["kind", "status"])
    for model in job_models():
        rows = model._default_manager.order_by().values_list("status").annotate(n=Count("pk"))
        counts = dict.fromkeys(Status.values, 0) | dict(rows)
        for status, count in counts.items():
            family.add_metric([model.slug, status], count)
    return family


def _oldest_waiting() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "cvtrainer_oldest_queued_seconds", "How long the next job has waited", labels=["kind"]
    )
    for model in job_models():
        since = model._default_manager.waiting().aggregate(since=Min("queued_at"))["since"]
        seconds = (timezone.now() - since).total_seconds() if since else 0.0
        family.add_metric([model.slug], seconds)
    return family


def _workers() -> GaugeMetricFamily:
    family = GaugeMetricFamily("cvtrainer_workers", "Workers that live", labels=["queue"])
    for queue in settings.RQ_QUEUES:
        try:
            family.add_metric([queue], workers_alive(queue))
        except redis.RedisError:
            family.add_metric([queue], float("nan"))
    return family


REGISTRY.register(PortalCollector())
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
