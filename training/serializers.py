"""How the API shows runs and models, and what it takes."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.models import DatasetVersion
from jobs.serializers import JobErrorSerializer, JobSerializerMixin, error_of, progress_of
from projects.serializer_base import (
    NameField,
    ProjectField,
    ScopedField,
    ScopedModelSerializer,
    ScopedSerializer,
)
from training.base_models import BASE_MODELS
from training.gpu_classes import PATTERN
from training.models import Artifact, TrainedModel, TrainingRun
from training.options import BASIC_NAMES, final_learning_rate
from training.recovery_serializers import AdjustedSerializer, RunErrorSerializer
from training.remedies import remedies_for

_PRIORITY = 100


class GpuClassField(serializers.RegexField):
    """The class of the card that a run is to have, such as t4 or a100; empty for any."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(rf"^{PATTERN}$", required=False, allow_blank=True, default="", **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Take capitals too: T4 is t4."""
        return super().to_internal_value(data).lower()


class BestSerializer(serializers.Serializer[Any]):
    """The figures of the best epoch so far."""

    epoch = serializers.IntegerField()
    map50 = serializers.FloatField(allow_null=True)
    map50_95 = serializers.FloatField(allow_null=True)
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    images = serializers.IntegerField(required=False, help_text="validation pictures, at the end")
    images_right = serializers.IntegerField(required=False, help_text="those counted right")
    confidence = serializers.FloatField(required=False, help_text="from which it was counted")


class RunSerializer(JobSerializerMixin, ScopedModelSerializer):
    """A run: what was asked for, and how it stands."""

    project = ProjectField(read_only=True)
    dataset_version = ScopedField(read_only=True)
    epochs = serializers.IntegerField(source="options.epochs", read_only=True)
    patience = serializers.IntegerField(source="options.patience", read_only=True)
    batch = serializers.IntegerField(source="options.batch", read_only=True)
    imgsz = serializers.IntegerField(source="options.imgsz", read_only=True)
    optimizer = serializers.CharField(source="options.optimizer", read_only=True)
    lr0 = serializers.FloatField(source="options.lr0", read_only=True)
    lrf = serializers.FloatField(source="options.lrf", read_only=True)
    seed = serializers.IntegerField(source="options.seed", read_only=True)
    advanced = serializers.SerializerMethodField()
    final_learning_rate = serializers.SerializerMethodField()
    queue_position = serializers.IntegerField(read_only=True, allow_null=True)
    waits_for = serializers.SerializerMethodField()
    eta_seconds = serializers.SerializerMethodField()
    best = BestSerializer(read_only=True, allow_null=True)
    adjusted = AdjustedSerializer(read_only=True)
    model = serializers.SerializerMethodField()

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "project",
            "dataset_version",
            "name",
            "base_model",
            *BASIC_NAMES,
            "advanced",
            "final_learning_rate",
            "priority",
            "gpu_class",
            "status",
            "paused_at",
            "queue_position",
            "waits_for",
            "attempt",
            "progress",
            "epoch",
            "best",
            "device",
            "worker",
            "created_at",
            "started_at",
            "finished_at",
            "eta_seconds",
            "stopped_early",
            "stop_reason",
            "adjusted",
            "model",
            "error",
        ]
        read_only_fields = fields

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, run: TrainingRun) -> dict[str, Any] | None:  # type: ignore[override]
        """Return what went wrong and what can be done about it, or None."""
        error = error_of(run.error)
        return error and {**error, "actions": [found.as_json() for found in remedies_for(run)]}

    @extend_schema_field(serializers.DictField())
    def get_advanced(self, run: TrainingRun) -> dict[str, Any]:
        """Return the advanced parameters with their values."""
        return {name: value for name, value in run.options.items() if name not in BASIC_NAMES}

    def get_final_learning_rate(self, run: TrainingRun) -> float | None:
        """Return lr0 × lrf; None where the optimizer chooses."""
        return final_learning_rate(run.options)

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_waits_for(self, run: TrainingRun) -> dict[str, str] | None:
        """Return what a waiting run waits for, where it is more than its turn."""
        return error_of(run.waits_for)

    def get_eta_seconds(self, run: TrainingRun) -> float | None:
        """Return the seconds left, as far as they are known."""
        eta: float | None = progress_of(run)["eta_seconds"]
        return eta

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_model(self, run: TrainingRun) -> str | None:
        """Return the id of the model that the run made."""
        model = getattr(run, "model", None)
        return str(model.pk) if model is not None else None


class NewRunSerializer(ScopedSerializer):
    """The body that starts a training; parameters are checked by `training.options`."""

    project = ProjectField()
    dataset_version = ScopedField(
        queryset=DatasetVersion.objects.select_related("dataset__project").all()
    )
    name = NameField(required=False, allow_blank=True, default="")
    base_model = serializers.CharField(max_length=40)
    epochs = serializers.JSONField(required=False)
    patience = serializers.JSONField(required=False)
    batch = serializers.JSONField(required=False)
    imgsz = serializers.JSONField(required=False)
    optimizer = serializers.JSONField(required=False)
    lr0 = serializers.JSONField(required=False)
    lrf = serializers.JSONField(required=False)
    seed = serializers.JSONField(required=False)
    advanced = serializers.JSONField(required=False)
    priority = serializers.IntegerField(
        required=False,
        default=0,
        min_value=-_PRIORITY,
        max_value=_PRIORITY,
        help_text="above 0, before the trainings of all projects, for staff alone",
    )
    gpu_class = GpuClassField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find what to start from, and put the parameters together.

        Raises:
            ValidationError: there is no such base model.
        """
        start_model = self._start_model(attrs)
        if start_model is None and attrs["base_model"] not in BASE_MODELS:
            raise serializers.ValidationError(
                {"base_model": _("There is no such base model.")}, code="unknown"
            )
        names = (*BASIC_NAMES, "advanced")
        options = {name: attrs.pop(name) for name in names if name in attrs}
        return {**attrs, "start_model": start_model, "options": options}

    def _start_model(self, attrs: dict[str, Any]) -> TrainedModel | None:
        try:
            model_id = UUID(attrs["base_model"])
        except ValueError:
            return None
        own: Any = TrainedModel.objects.filter(project=attrs["project"])
        found = own.visible_to(self.context["request"].user).filter(pk=model_id).first()
        if found is None:
            raise serializers.ValidationError(
                {"base_model": _("There is no such model in this project.")}, code="does_not_exist"
            )
        return found  # type: ignore[no-any-return]


class EpochSerializer(serializers.Serializer[Any]):
    """What one epoch measured."""

    epoch = serializers.IntegerField()
    train = serializers.DictField(child=serializers.FloatField(allow_null=True))
    val = serializers.DictField(child=serializers.FloatField(allow_null=True))
    lr = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    images_per_second = serializers.FloatField(allow_null=True)
    gpu_memory_mb = serializers.FloatField(allow_null=True)
    gpu_use = serializers.FloatField(allow_null=True)
    gpu_memory_used_mb = serializers.FloatField(allow_null=True)
    gpu_memory_total_mb = serializers.FloatField(allow_null=True)
    gpu_temperature = serializers.FloatField(allow_null=True)
    gpu_power = serializers.FloatField(allow_null=True)
    cpu_use = serializers.FloatField(allow_null=True)
    memory_mb = serializers.FloatField(allow_null=True)


class MetricsSerializer(serializers.Serializer[Any]):
    """All epochs of a run."""

    results = EpochSerializer(many=True)


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    """A file that a run left behind."""

    url = serializers.SerializerMethodField()

    class Meta:
        model = Artifact
        fields = ["name", "kind", "size", "url"]

    def get_url(self, artifact: Artifact) -> str:
        """Return where to fetch it."""
        where = [artifact.run_id, artifact.name]
        return reverse("run-artifact", args=where, request=self.context["request"])


class ModelSerializer(ScopedModelSerializer):
    """A model: where it comes from, what it knows and how good it is."""

    project = ProjectField(read_only=True)
    training_run = ScopedField(read_only=True)
    dataset_version = ScopedField(read_only=True)
    classes = serializers.ListField(child=serializers.CharField(), read_only=True)
    name = NameField(required=False)
    stage = serializers.ChoiceField(choices=TrainedModel.Stage.choices, required=False)

    class Meta:
        model = TrainedModel
        fields = [
            "id",
            "project",
            "name",
            "version",
            "stage",
            "training_run",
            "dataset_version",
            "architecture",
            "classes",
            "imgsz",
            "metrics",
            "size",
            "sha256",
            "created_at",
        ]
        read_only_fields = [
            "id",
            "version",
            "architecture",
            "imgsz",
            "metrics",
            "size",
            "sha256",
            "created_at",
        ]


class OptionSerializer(serializers.Serializer[Any]):
    """One parameter: enough to draw its field and to check it."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    type = serializers.CharField()
    default = serializers.JSONField()
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.JSONField())
    group = serializers.ChoiceField(choices=["basic", "advanced"])


class BaseModelSerializer(serializers.Serializer[Any]):
    """A model to start from."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    family = serializers.CharField()
    size = serializers.CharField()
    pretrained = serializers.BooleanField()


class TrainingOptionsSerializer(serializers.Serializer[Any]):
    """Everything that can be chosen for a training."""

    base_models = BaseModelSerializer(many=True)
    parameters = OptionSerializer(many=True)
