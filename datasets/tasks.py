"""What RQ calls on an import worker."""

from django.utils.translation import gettext as _

from datasets import services
from datasets.ingest import Ingest, Totals
from datasets.models import DatasetVersion, Import
from datasets.picture_pool import PicturePool
from datasets.sources.zip import ZipSource
from jobs.errors import CancelRequested, UserError
from jobs.reporter import Reporter
from jobs.runner import Commit, run_job
from storage.local import local_path


def run_import(import_id: str) -> None:
    """Bring an upload into its version."""
    run_job(Import, import_id, import_zip)


def import_zip(job: Import, reporter: Reporter) -> Commit:
    """Understand the ZIP, bring it in, and return the write that makes the version ready.

    Raises:
        UserError: it cannot be imported; nothing of it is kept.
        CancelRequested: a person canceled; nothing of it is kept.
    """
    reporter.progress("read", 0, 0)
    try:
        with local_path(job.file) as path, ZipSource(path) as source, PicturePool() as pool:
            totals = Ingest(job, reporter, source, pool).run()
            warnings, layout = source.problems.rows(), dict(source.layout)
    except (UserError, CancelRequested):
        services.discard_import(job=job)
        raise
    total = totals.images.total()
    reporter.log(_("Imported %(count)d pictures.") % {"count": total})
    reporter.progress("finish", total, total)
    return lambda: _make_ready(job, totals, warnings, layout)


def _make_ready(
    job: Import, totals: Totals, warnings: list[object], layout: dict[str, object]
) -> None:
    DatasetVersion.objects.filter(pk=job.version_id).update(
        status=DatasetVersion.Status.READY,
        train_images=totals.images["train"],
        val_images=totals.images["val"],
        test_images=totals.images["test"],
        boxes=totals.boxes,
        fingerprint=totals.fingerprint,
        warnings=warnings,
        layout=layout,
    )
    services.drop_upload(job=job)
