"""Which pictures of a Custom Vision project are here: an import goes on where it was cut off.

Its pictures never change, so that its id stands for the bytes. What was fetched for an import that
failed is kept for a week (cleaning.py), for the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from datasets.models import Import, RemotePicture
from datasets.picture_store import Placed
from jobs import transitions

_KEPT = timedelta(days=7)
_BATCH = 500


@dataclass
class RemotePictures:
    """The pictures of one project there, in one project here."""

    job: Import
    #: Ids, by the digest of pictures that are fetched but not stored yet.
    _coming: dict[str, list[str]] = field(default_factory=dict)

    def known(self, remote_ids: Sequence[str]) -> dict[str, str]:
        """Return the digests of those that are here, row and files, by their ids there."""
        digests: dict[str, str] = {}
        for start in range(0, len(remote_ids), _BATCH):
            rows = self._rows().filter(remote_id__in=remote_ids[start : start + _BATCH])
            for row in rows.select_related("picture"):
                names = {row.picture.sha256, row.picture.stored_sha256}
                if row.sha256 in names and row.picture.is_stored:
                    digests[row.remote_id] = row.sha256
        return digests

    def coming(self, remote_id: str, sha256: str) -> None:
        """Remember that a picture was fetched; `stored` tells when it is safe."""
        self._coming.setdefault(sha256, []).append(remote_id)

    def stored(self, placed: Mapping[str, Placed]) -> None:
        """Note pictures that are in storage: they need not be fetched again.

        Raises:
            LeaseLost: another attempt owns the import.
        """
        keep_until = timezone.now() + _KEPT
        # By their ids: a statement of PostgreSQL may not write a row twice.
        rows = {
            remote_id: RemotePicture(
                project_id=self.job.project_id,
                origin=self.job.origin,
                remote_id=remote_id,
                sha256=sha256,
                picture=found.picture,
                keep_until=keep_until,
            )
            for sha256, found in placed.items()
            for remote_id in self._coming.pop(sha256, ())
        }
        if not rows:
            return
        with transitions.fenced(self.job):
            RemotePicture.objects.bulk_create(
                rows.values(),
                update_conflicts=True,
                unique_fields=["project", "origin", "remote_id"],
                update_fields=["picture", "sha256", "keep_until"],
            )

    def _rows(self) -> Any:
        return RemotePicture.objects.filter(project=self.job.project_id, origin=self.job.origin)
