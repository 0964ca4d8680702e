"""Training runs with their epochs, checkpoints and artifacts, and the models that they made."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.core.files.storage import storages
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from datasets.models import DatasetVersion
from jobs.errors import UserError
from jobs.models import JobEvent, PausableJob
from projects.access import ScopedQuerySet
from projects.models import Project
from training.base_models import BASE_MODELS, SCRATCH
from training.experience_row import Experience  # noqa: F401  a model that is found here
from training.run_queryset import RunQuerySet


def weights_storage() -> Any:
    """Return the storage of checkpoints and models."""
    return storages["weights"]


def artifacts_storage() -> Any:
    """Return the storage of plots and tables that runs leave behind."""
    return storages["artifacts"]


class TrainingRun(PausableJob):
    """One training of one model on one version."""

    class StopReason(models.TextChoices):
        """Why it ended before its last epoch, and brought a model."""

        ASKED = "asked"
        PATIENCE = "patience"
        TIME_LIMIT = "time_limit"

    queue = "training"
    task = "training.tasks.run_training"
    slug = "training-runs"
    tells_its_end = True

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.RESTRICT, related_name="training_runs"
    )
    name = models.CharField(max_length=100)
    base_model = models.CharField(max_length=40, help_text="name from training.options, or a model")
    start_model = models.ForeignKey(
        "TrainedModel", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: epochs, patience, batch, imgsz, optimizer, lr0, lrf, seed and the advanced ones, validated.
    options = models.JSONField(default=dict)
    priority = models.SmallIntegerField(default=0)
    gpu_class = models.CharField(max_length=30, blank=True, help_text="t4, a100; empty: any")
    served_at = models.DateTimeField(null=True, blank=True, help_text="last taken by a worker")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    stopped_early = models.BooleanField(default=False)
    #: Null where nobody noted it: a web process of the release before writes rows without it.
    stop_reason = models.CharField(  # noqa: DJ001
        max_length=10, choices=StopReason.choices, null=True, blank=True
    )
    epoch = models.PositiveIntegerField(default=0, help_text="last epoch committed")
    best = models.JSONField(null=True, blank=True)
    device = models.CharField(max_length=100, blank=True)
    environment = models.JSONField(default=dict, blank=True)
    #: What we changed by ourselves since it began, laid over the options; `because`: of what error.
    adjusted = models.JSONField(default=dict, blank=True)

    #: Filled in by `RunQuerySet.with_queue_position`.
    queue_position: int | None = None
    waits_for: dict[str, Any] | None = None

    objects = RunQuerySet.as_manager()  # type: ignore[misc]

    class Meta(PausableJob.Meta):
        indexes: ClassVar = [
            *PausableJob.Meta.indexes,
            models.Index(fields=["project", "status"], name="training_run_project_status"),
            models.Index(fields=["project", "-served_at"], name="training_run_project_served"),
        ]

    @classmethod
    def claim_columns(cls, job_id: Any) -> dict[str, Any]:
        """Note whose turn it was; let no two claims at once pass the limit of a project."""
        if settings.PROJECT_RUNS:
            own = cls._base_manager.filter(pk=job_id).values("project_id")
            list(Project.objects.select_for_update(no_key=True).filter(pk__in=own).values("pk"))
        return {"served_at": Now()}

    @property
    def used_options(self) -> dict[str, Any]:
        """The options as they are used: with what had to be changed on the way."""
        changed = {name: value for name, value in self.adjusted.items() if name in self.options}
        return {**self.options, **changed}

    @property
    def architecture(self) -> str:
        """The name of the network (yolo11n and the like).

        Raises:
            UserError: `start_model_gone`, nobody knows it any more.
        """
        if self.start_model is not None:
            return self.start_model.architecture
        if self.base_model in BASE_MODELS:
            return self.base_model.removesuffix(SCRATCH)
        # The start model was deleted; where the run had begun, it was noted.
        if known := self.environment.get("architecture"):
            return str(known)
        raise UserError("start_model_gone")


class RunEvent(JobEvent):
    """The story of a run."""

    job = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="events")

    class Meta(JobEvent.Meta):
        pass


class EpochMetrics(models.Model):
    """What one epoch measured; committed together with its checkpoint."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="epochs")
    epoch = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    train = models.JSONField(default=dict)
    val = models.JSONField(default=dict)
    lr = models.FloatField(null=True)
    seconds = models.FloatField(null=True)
    batch = models.PositiveIntegerField(null=True, help_text="pictures learned from at once")
    images_per_second = models.FloatField(null=True)
    gpu_memory_mb = models.FloatField(null=True)
    #: What the training took of its machine, on the average: see training.gauge.
    machine = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["epoch"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "epoch"], name="training_epoch_once")
        ]

    def __str__(self) -> str:
        return f"epoch {self.epoch}"


class RunPictures(models.Model):
    """What was found on a few validation pictures: in the newest epoch, and in the best one."""

    class Kind(models.TextChoices):
        """Of which epoch."""

        LAST = "last"
        BEST = "best"

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="pictures")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    epoch = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    #: [{"position", "boxes": [[class, confidence, x1, y1, x2, y2]]}], corners as shares.
    found = models.JSONField(default=list)

    class Meta:
        ordering: ClassVar = ["kind"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "kind"], name="training_pictures_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.epoch}"


class OfRunQuerySet(ScopedQuerySet):
    """Checkpoints and artifacts, reached through their run."""

    project_path = "run__project"


class Checkpoint(models.Model):
    """The pointer to stored weights: written last, after the file was stored and verified."""

    class Kind(models.TextChoices):
        """What the weights are."""

        LAST = "last"
        BEST = "best"

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="checkpoints")
    kind = models.CharField(max_length=4, choices=Kind.choices)
    epoch = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    file = models.FileField(storage=weights_storage, max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-epoch", "-attempt"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["run", "kind", "epoch", "attempt"], name="training_checkpoint_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.epoch}"


class Artifact(models.Model):
    """A file that a run leaves behind: a plot, results.csv, args.yaml."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    file = models.FileField(storage=artifacts_storage, max_length=200)
    size = models.PositiveBigIntegerField()

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "name"], name="training_artifact_once")
        ]

    def __str__(self) -> str:
        return self.name


class TrainedModel(models.Model):
    """A detector: weights with the classes they know."""

    class Stage(models.TextChoices):
        """How far it is trusted; one model a project is in production."""

        NONE = "none", _("Not staged")
        CANDIDATE = "candidate", _("Candidate")
        PRODUCTION = "production", _("In use")
        ARCHIVED = "archived", _("Archived")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(_("name"), max_length=100)
    version = models.PositiveIntegerField()
    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.NONE)
    training_run = models.OneToOneField(
        TrainingRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="model"
    )
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="models"
    )
    architecture = models.CharField(max_length=20, help_text="yolo11n and the like")
    classes = models.JSONField(default=list, help_text="names in the order of their index")
    imgsz = models.PositiveIntegerField()
    metrics = models.JSONField(default=dict)
    file = models.FileField(storage=weights_storage, max_length=200)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "version"], name="training_model_version"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(stage="production"),
                name="training_model_one_production",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def file_name(self) -> str:
        """What its weights are called where they are downloaded."""
        return f"{self}.pt"
