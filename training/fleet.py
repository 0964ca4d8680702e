"""The workers that train: which cards there are, and which of them could take a run."""

from typing import Any

from django.db.models import Count

from jobs.worker_rows import Worker, WorkerQuerySet
from training.models import TrainingRun


def workers_for(gpu_class: str = "") -> WorkerQuerySet:
    """Return the workers that could take a run, now or when they have done what they are at.

    Each row says on which card: `gpu_name`, `gpu_memory_mb`, `gpu_class`.

    Args:
        gpu_class: that the run asks for; empty for any.
    """
    rows: Any = Worker.objects.filter(queue=TrainingRun.queue).taking_work()
    return rows.filter(gpu_class=gpu_class) if gpu_class else rows  # type: ignore[no-any-return]


def gpu_classes() -> list[str]:
    """Return the classes of cards that workers train on, of all that are known and not refused."""
    rows = Worker.objects.filter(queue=TrainingRun.queue).exclude(gpu_class="")
    usable = rows.exclude(state="refused").order_by("gpu_class")
    return list(usable.values_list("gpu_class", flat=True).distinct())


def waiting_by_class() -> dict[str, int]:
    """Return how many runs wait for each class of cards; under "" those that take any."""
    rows = TrainingRun.objects.waiting().order_by("gpu_class")
    return dict(rows.values_list("gpu_class").annotate(number=Count("pk")))


def smallest_card(gpu_class: str = "") -> Worker | None:
    """Return the worker with the smallest card that could take a run, None where there is no card.

    Args:
        gpu_class: that the run asks for; empty for any.
    """
    rows = workers_for(gpu_class).filter(gpu_memory_mb__isnull=False)
    found: Worker | None = rows.order_by("gpu_memory_mb", "pk").first()
    return found
