"""Training runs and models in the Django admin: to be looked at; workers write them."""

from django.contrib import admin

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline
from jobs.worker_rows import Worker
from training.experience_row import Experience
from training.models import (
    Artifact,
    Checkpoint,
    EpochMetrics,
    RunEvent,
    RunPictures,
    TrainedModel,
    TrainingRun,
)


class EpochInline(ReadOnlyInline):
    """What each committed epoch of a run measured."""

    model = EpochMetrics
    fields = ["epoch", "attempt", "train", "val", "lr", "seconds", "gpu_memory_mb"]


class ArtifactInline(ReadOnlyInline):
    """What a run left behind."""

    model = Artifact
    fields = ["name", "kind", "size", "file"]


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    """Runs as jobs: how they stand, who holds them until when, why they failed."""

    list_display = [
        "name",
        "project",
        "base_model",
        "status",
        "epoch",
        "attempt",
        "losses",
        "worker",
        "lease_until",
        "device",
        "created_by",
        "created_at",
        "finished_at",
    ]
    list_select_related = ["project", "created_by"]
    search_fields = ["=id", "name", "project__name", "base_model", "worker"]
    list_filter = ["status", "stopped_early", "created_at"]
    date_hierarchy = "created_at"
    inlines = [EpochInline, ArtifactInline]


@admin.register(RunEvent)
class RunEventAdmin(ReadOnlyAdmin):
    """The story of runs, frame by frame."""

    list_display = ["job", "seq", "type", "at", "payload"]
    list_select_related = ["job"]
    search_fields = ["=job__id", "payload"]
    list_filter = ["type", "at"]
    ordering = ["-id"]


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """Pointers to stored weights: what a run goes on from."""

    list_display = ["run", "kind", "epoch", "attempt", "size", "sha256", "created_at"]
    list_select_related = ["run"]
    search_fields = ["=run__id", "run__name", "sha256__startswith"]
    list_filter = ["kind", "created_at"]
    date_hierarchy = "created_at"


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    """Plots and tables that runs left behind."""

    list_display = ["name", "kind", "run", "size"]
    list_select_related = ["run"]
    search_fields = ["=id", "name", "=run__id", "run__name"]
    list_filter = ["kind"]


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    """Models: where they come from and how far they are trusted."""

    list_display = [
        "name",
        "version",
        "project",
        "stage",
        "architecture",
        "imgsz",
        "size",
        "training_run",
        "created_at",
    ]
    list_select_related = ["project", "training_run"]
    search_fields = ["=id", "name", "project__name", "sha256__startswith"]
    list_filter = ["stage", "architecture", "created_at"]
    date_hierarchy = "created_at"


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers of all queues; they are drained on the page of workers."""

    list_display = [
        "name",
        "queue",
        "gpu_name",
        "gpu_class",
        "driver",
        "torch",
        "state",
        "drain",
        "since",
        "last_seen",
    ]
    list_select_related = ["drained_by"]
    search_fields = ["name", "host", "gpu_uuid"]
    list_filter = ["queue", "state", "drain", "gpu_class"]


@admin.register(Experience)
class ExperienceAdmin(ReadOnlyAdmin):
    """What trainings took on the cards of this installation."""

    list_display = [
        "device",
        "architecture",
        "imgsz",
        "batch",
        "precision",
        "multi_scale",
        "memory_mb",
        "seconds_per_image",
        "was_too_large",
        "runs",
        "updated_at",
    ]
    search_fields = ["device", "architecture"]
    list_filter = ["gpu_class", "architecture", "was_too_large"]


@admin.register(RunPictures)
class RunPicturesAdmin(ReadOnlyAdmin):
    """What was found on the watched validation pictures of runs."""

    list_display = ["run", "kind", "epoch", "attempt"]
    list_select_related = ["run"]
    search_fields = ["=run__id", "run__name"]
    list_filter = ["kind"]
