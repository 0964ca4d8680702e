"""Brings a Custom Vision project in, on a worker."""

import math
import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from datasets.baselines import carried
from datasets.ingest import Ingest
from datasets.models import DatasetVersion, Import, ImportSecret
from datasets.picture_pool import PicturePool
from datasets.remote_pictures import RemotePictures
from datasets.sources.custom_vision.address import Address
from datasets.sources.custom_vision.calls import Wait
from datasets.sources.custom_vision.downloads import PictureClient
from datasets.sources.custom_vision.remote import Baseline
from datasets.sources.custom_vision.service import Service
from datasets.sources.custom_vision.source import CustomVisionSource
from jobs.errors import UserError, describe
from jobs.reporter import Reporter
from jobs.runner import Commit
from storage.sealing import SealBroken, unseal

#: How long an import waits for the other side before it gives up.
_PATIENCE = 900.0
_SLICE = 0.5


def import_custom_vision(job: Import, reporter: Reporter, pool: PicturePool) -> Commit:
    """Bring a project in; what is here already is not fetched again.

    Raises:
        UserError: it cannot be imported.
        CancelRequested: a person canceled.
    """
    where = Address(job.endpoint, job.origin)
    service = Service(where, _key_of(job), wait=_waiting(reporter), patience=_PATIENCE)
    remote = RemotePictures(job)
    with CustomVisionSource(
        service,
        PictureClient(settings.CUSTOM_VISION_HOSTS),
        include_untagged=job.include_untagged,
        known=remote.known,
        before_wait=reporter.raise_if_cancelled,
    ) as source:
        ingest = Ingest(job, reporter, source, pool, remote=remote)
        commit = ingest.run()
        baselines = carried([_row(found) for found in source.baselines], ingest.earlier)

    def commit_all() -> None:
        commit()
        DatasetVersion.objects.filter(pk=job.version_id).update(baselines=baselines)

    return commit_all


def _key_of(job: Import) -> str:
    row = ImportSecret.objects.filter(import_job=job.pk).first()
    try:
        if row is not None:
            return unseal(bytes(row.sealed), str(job.pk))
    except SealBroken:
        pass
    raise UserError("custom_vision_key_gone")


def _waiting(reporter: Reporter) -> Wait:
    """Return a wait that is told in the log, and left where somebody cancels."""

    def wait(seconds: float, code: str) -> None:
        text = _("{reason} Trying again in {seconds} s.")
        reason = describe(code)[0]
        reporter.log(text.format(reason=reason, seconds=math.ceil(seconds)), level="warning")
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            reporter.raise_if_cancelled()
            time.sleep(min(_SLICE, left))

    return wait


def _row(baseline: Baseline) -> dict[str, Any]:
    trained_at = baseline.trained_at
    return {**asdict(baseline), "trained_at": trained_at.isoformat() if trained_at else None}
