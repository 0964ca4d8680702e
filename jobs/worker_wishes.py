"""What people wish of a worker: that it takes nothing more, or takes work again.

Only the wish is written; the worker reads it within a renewal of its lease and acts on it.
"""

from typing import Any
from uuid import UUID

from jobs.worker_rows import Drain, Worker


def drain_worker(*, worker_id: UUID, user: Any, at_once: bool = False) -> bool:
    """Have a worker take nothing more, so that its process may be stopped without harm.

    Args:
        at_once: what it does goes back to the queue, without counting as a loss; else it is done
            to its end.

    Returns:
        False where there is no such worker any more.
    """
    wish = Drain.NOW if at_once else Drain.AFTER
    return bool(Worker.objects.filter(pk=worker_id).update(drain=wish, drained_by=user))


def undrain_worker(*, worker_id: UUID) -> bool:
    """Have a drained worker take work again; False where there is no such worker any more."""
    rows = Worker.objects.filter(pk=worker_id)
    return bool(rows.update(drain=Drain.NO, drained_by=None))
