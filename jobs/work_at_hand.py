"""What workers have in hand, by the rows of the jobs that they hold: true without Redis."""

from collections import defaultdict
from collections.abc import Iterable
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
    workers: Iterable[Worker], user: Any, *, related: Iterable[str] = ()
) -> dict[str, list[AtHand]]:
    """Return what each worker holds, by its name; two queries for each kind of job.

    Args:
        related: rows to be read with the jobs, where a kind has them.
    """
    names = [worker.name for worker in workers]
    found: dict[str, list[AtHand]] = defaultdict(list)
    for model in job_models():
        manager: Any = model._default_manager
        held = dict(manager.held().filter(worker__in=names).values_list("pk", "worker"))
        own = [name for name in related if _is_relation(model, name)]
        seen = manager.visible_to(user).filter(pk__in=held).select_related(*own)
        jobs = {job.pk: job for job in seen}
        for job_id, name in held.items():
            found[name].append(AtHand(model.slug, jobs.get(job_id)))
    return found


def _is_relation(model: type[Job], name: str) -> bool:
    return any(field.name == name and field.is_relation for field in model._meta.get_fields())
