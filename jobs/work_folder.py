"""A private folder on this host for one attempt of a job.

Two attempts of one job may be alive here at once: one that was frozen past its lease, and the one
that took over. Each has a folder of its own and removes only that.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from jobs.models import Job
from jobs.patience import persist
from jobs.states import HELD

log = logging.getLogger(__name__)


@contextmanager
def work_folder(job: Job) -> Iterator[Path]:
    """Give an empty folder for the attempt that the caller holds; it goes with the attempt.

    What killed attempts left here goes too: whoever is killed cannot tidy up.
    """
    _sweep(type(job))
    folder = _name(job.slug, str(job.pk), job.attempt)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _name(slug: str, job_id: str, attempt: int) -> Path:
    return Path(settings.WORK_DIR) / f"{slug}-{job_id}-{attempt}"


def _sweep(model: type[Job]) -> None:
    """Remove the folders that no attempt owns."""
    # First the folders, then the rows: an attempt holds its row before it makes its folder.
    found = list(Path(settings.WORK_DIR).glob(f"{model.slug}-*"))
    if not found:
        return
    rows = model._default_manager.filter(status__in=HELD).values_list("pk", "attempt")
    held = persist(lambda: list(rows.all()))
    owned = {_name(model.slug, str(job_id), attempt) for job_id, attempt in held}
    for folder in set(found) - owned:
        log.info("Removing what a dead attempt left: %s", folder.name)
        shutil.rmtree(folder, ignore_errors=True)
