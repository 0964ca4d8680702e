"""How much of what a project uploads may lie on the server before it is imported.

What counts: the whole length of uploads that are on their way, and the files of imports that wait,
run, or failed and are kept for another try. What is imported is pictures then, and counts no more.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

import datasets.errors  # noqa: F401  registers the codes
from accounts.models import User
from datasets.models import Import, Upload
from jobs.errors import UserError
from projects.models import Project

_MIB = 1024 * 1024
#: Share of the quota from which people are told.
_NEARLY = 0.8


@dataclass(frozen=True)
class Quota:
    """Bytes that are used, and that may be."""

    used: int
    limit: int

    @property
    def left(self) -> int:
        """How many bytes may still come."""
        return max(0, self.limit - self.used)

    @property
    def is_nearly_used(self) -> bool:
        """Whether the next upload may not find room."""
        return self.used >= _NEARLY * self.limit

    def check(self, more: int) -> None:
        """Refuse bytes for which there is no room.

        Raises:
            UserError: `upload_quota`.
        """
        if self.used + more > self.limit:
            used_mb, limit_mb = self.used // _MIB, self.limit // _MIB
            raise UserError("upload_quota", used_mb=used_mb, limit_mb=limit_mb)


def quota_of(project: Project | None, user: User, *, without: Import | None = None) -> Quota:
    """Return how a project stands; uploads that are for none count together with their sender's.

    Only in a transaction that holds the lock of the project, or of the user, does it stay so.

    Args:
        without: an import that does not count, for it is asked whether it may.
    """
    arriving = Upload.objects.filter(project=project, expires_at__gt=timezone.now())
    if project is None:
        arriving = arriving.filter(user=user)
    used = arriving.aggregate(sum=Sum("length"))["sum"] or 0
    if project is not None:
        kept = Import.objects.filter(project=project).exclude(file="")
        kept = kept.exclude(pk=without.pk) if without else kept
        used += kept.aggregate(sum=Sum("file_size"))["sum"] or 0
    return Quota(used, settings.UPLOAD_QUOTA_BYTES)
