"""What RQ calls on an import worker."""

import os
from collections.abc import Callable

from datasets import cleaning
from datasets.custom_vision import import_custom_vision
from datasets.errors import from_storage
from datasets.freed_memory import keep_freed_memory
from datasets.ingest import Ingest
from datasets.models import Import
from datasets.picture_pool import PicturePool
from datasets.sources.zip import ZipSource
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from storage.errors import StorageError
from storage.local import local_path

_MOST_PROCESSES = 4
#: Who feeds them comes first, and so does whoever waits for a page or a detection.
_NICE = 5


def run_import(import_id: str) -> None:
    """Bring an upload into its version, then remove what nobody needs any more."""
    row = Import.objects.filter(pk=import_id).values("project").first()
    run_job(Import, import_id, import_data)
    if row is not None:
        cleaning.remove_unused_pictures(row["project"])


def import_data(job: Import, reporter: Reporter) -> Commit:
    """Bring the data in, wherever it is, and return the write that makes the version ready.

    Raises:
        UserError: it cannot be imported; nothing of it is kept.
        CancelRequested: a person canceled; nothing of it is kept.
    """
    reporter.progress("read", 0, 0)
    keep_freed_memory()
    # More than cores: each pauses until this process takes what it prepared.
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0)) + 2)
    try:
        with PicturePool(processes=processes, nice=_NICE) as pool:
            return _WAYS[Import.Source(job.source)](job, reporter, pool)
    except StorageError as error:
        raise from_storage(error) from error


def _import_zip(job: Import, reporter: Reporter, pool: PicturePool) -> Commit:
    with (
        local_path(job.file) as path,
        ZipSource(path, before_read=reporter.raise_if_cancelled) as source,
    ):
        return Ingest(job, reporter, source, pool).run()


_WAYS: dict[Import.Source, Callable[[Import, Reporter, PicturePool], Commit]] = {
    Import.Source.ZIP: _import_zip,
    Import.Source.CUSTOM_VISION: import_custom_vision,
}
