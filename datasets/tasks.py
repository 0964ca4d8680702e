"""What RQ calls on an import worker."""

import os

from datasets import cleaning
from datasets.errors import from_storage
from datasets.ingest import Ingest
from datasets.models import Import
from datasets.picture_pool import PicturePool
from datasets.sources.zip import ZipSource
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from storage.errors import StorageError
from storage.local import local_path

_MOST_PROCESSES = 4


def run_import(import_id: str) -> None:
    """Bring an upload into its version, then remove what nobody needs any more."""
    row = Import.objects.filter(pk=import_id).values("project").first()
    run_job(Import, import_id, import_zip)
    if row is not None:
        cleaning.remove_unused_pictures(row["project"])


def import_zip(job: Import, reporter: Reporter) -> Commit:
    """Understand the ZIP, bring it in, and return the write that makes the version ready.

    Raises:
        UserError: it cannot be imported; nothing of it is kept.
        CancelRequested: a person canceled; nothing of it is kept.
    """
    reporter.progress("read", 0, 0)
    processes = min(_MOST_PROCESSES, len(os.sched_getaffinity(0)))
    try:
        with (
            local_path(job.file) as path,
            ZipSource(path, before_read=reporter.raise_if_cancelled) as source,
            PicturePool(processes=processes) as pool,
        ):
            return Ingest(job, reporter, source, pool).run()
    except StorageError as error:
        raise from_storage(error) from error
