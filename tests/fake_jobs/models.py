"""The fake job: counts epochs, like a training without the training."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from jobs.models import JobEvent, PausableJob, PausableQuerySet


class FakeQuerySet(PausableQuerySet):
    """Fake jobs belong to nobody's project: viewers are named one by one."""

    def visible_to(self, user: Any) -> Self:
        """Jobs that the user may see."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(Q(created_by=user) | Q(viewers=user)).distinct()

    def editable_by(self, user: Any) -> Self:
        """Jobs that the user may change."""
        return self.visible_to(user).filter(created_by=user)


class FakeJob(PausableJob):
    """Commits `wanted` epochs, one row each."""

    queue = "imports"
    task = "tests.fake_jobs.tasks.run_fake"
    slug = "fakes"

    wanted = models.PositiveIntegerField(default=5)
    pause = models.FloatField(default=0.0)
    behaviour = models.CharField(max_length=20, default="epochs")
    viewers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")

    objects = FakeQuerySet.as_manager()

    class Meta(PausableJob.Meta):
        pass


class FakeEvent(JobEvent):
    """The story of a fake job."""

    job = models.ForeignKey(FakeJob, on_delete=models.CASCADE, related_name="events")

    class Meta(JobEvent.Meta):
        pass


class FakeEpoch(models.Model):
    """What must neither be lost nor happen twice."""

    job = models.ForeignKey(FakeJob, on_delete=models.CASCADE, related_name="epochs")
    epoch = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "epoch"], name="fake_epoch_once")]

    def __str__(self) -> str:
        return str(self.epoch)


class FakeRefusal(models.Model):
    """What an attempt that lost its job tried to write afterwards; for the count, not fenced."""

    job = models.ForeignKey(FakeJob, on_delete=models.CASCADE, related_name="refusals")
    attempt = models.PositiveIntegerField()
    was_accepted = models.BooleanField()

    def __str__(self) -> str:
        return f"attempt {self.attempt}"
