"""The fake job: counts epochs, like a training without the training."""

from django.db import models

from jobs.models import Job, JobEvent, JobQuerySet


class FakeJob(Job):
    """Commits `wanted` epochs, one row each."""

    queue = "imports"
    task = "tests.fake_jobs.tasks.run_fake"
    slug = "fakes"

    wanted = models.PositiveIntegerField(default=5)
    pause = models.FloatField(default=0.0)

    objects = JobQuerySet.as_manager()

    class Meta(Job.Meta):
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
