"""What workers have in hand, by the rows of the jobs that they hold: true without Redis."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jobs.models import Job
from jobs.registry import job_models
from jobs.worker_rows import Worker


@dataclass(frozen=True)
class AtHand:
    """One job that a worker holds; `job` is None where whoever asks may not see it."""

    slug: str
    job: Job | None


def work_at_hand(
    workers: Iterable[Worker], user: Any, *, related: Mapping[str, Iterable[str]] | None = None
) -> dict[str, list[AtHand]]:
    """Return what each worker holds, by its name; two queries for each kind of job.

    Args:
        related: rows to be read with the jobs, by their slug.
    """
    names = [worker.name for worker in workers]
    found: dict[str, list[AtHand]] = defaultdict(list)
    for model in job_models():
        manager: Any = model._default_manager
        held = dict(manager.held().filter(worker__in=names).values_list("pk", "worker"))
        seen = manager.visible_to(user).filter(pk__in=held)
        if own := (related or {}).get(model.slug):
            seen = seen.select_related(*own)
        jobs = {job.pk: job for job in seen}
        for job_id, name in held.items():
            found[name].append(AtHand(model.slug, jobs.get(job_id)))
    return found
