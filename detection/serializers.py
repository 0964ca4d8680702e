"""How the API shows detections and evaluations, and what it takes."""

from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.models import DatasetImage, DatasetVersion
from detection import counts
from detection.counts import CONFIDENCE_FLOOR
from detection.models import Detection, DetectionImage, Evaluation
from detection.services import DEFAULT_CONF, DEFAULT_IOU
from jobs.serializers import JobErrorSerializer, JobSerializerMixin, error_of
from projects.models import Project
from projects.serializer_base import (
    ProjectField,
    ScopedField,
    ScopedModelSerializer,
    ScopedSerializer,
)
from training.models import TrainedModel

_CONFIDENCE_HELP = (
    f"Only what the model is so sure of is counted. Everything from {CONFIDENCE_FLOOR} on is kept, "
    "so that another `conf` may be asked for later; a lower one is refused."
)
_COUNTS = serializers.DictField(child=serializers.IntegerField())


class ShareField(serializers.FloatField):
    """A number up to 1; one out of range is answered with the range."""

    def __init__(self, *, least: float = 0.0, **kwargs: Any) -> None:
        said = format_lazy(_("Must be between {minimum} and {maximum}."), minimum=least, maximum=1)
        messages: dict[str, Any] = {"min_value": said, "max_value": said}
        super().__init__(min_value=least, max_value=1.0, error_messages=messages, **kwargs)


class ConfidenceField(ShareField):
    """A confidence; nothing is kept below the floor, so nothing could be counted from there."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(least=CONFIDENCE_FLOOR, help_text=_CONFIDENCE_HELP, **kwargs)


class BoxSerializer(serializers.Serializer[Any]):
    """Pixels of the upright picture."""

    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class ObjectSerializer(serializers.Serializer[Any]):
    """One thing that was found."""

    class_id = serializers.IntegerField()
    class_name = serializers.CharField()
    confidence = serializers.FloatField()
    box = BoxSerializer()


class DetectionImageSerializer(serializers.ModelSerializer[DetectionImage]):
    """A picture with what was found on it at the detection's confidence."""

    objects = serializers.SerializerMethodField()  # type: ignore[assignment]
    counts = serializers.SerializerMethodField()
    image_url = serializers.SerializerMethodField()
    annotated_url = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    class Meta:
        model = DetectionImage
        fields = [
            "index",
            "file_name",
            "width",
            "height",
            "objects",
            "counts",
            "image_url",
            "annotated_url",
            "error",
        ]

    @extend_schema_field(ObjectSerializer(many=True))
    def get_objects(self, image: DetectionImage) -> list[dict[str, Any]]:
        """Return what was found, best first."""
        return [shown_object(found, self._names) for found in self._found(image)]

    @extend_schema_field(_COUNTS)
    def get_counts(self, image: DetectionImage) -> dict[str, int]:
        """Return how many of each class."""
        return counts.count(self._found(image), self._names)

    def get_image_url(self, image: DetectionImage) -> str | None:
        """Return where the upright picture is; None where it could not be looked at."""
        return self._url("detection-image", image)

    def get_annotated_url(self, image: DetectionImage) -> str | None:
        """Return where the picture with boxes is; None where it could not be looked at."""
        return self._url("detection-annotated", image)

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, image: DetectionImage) -> dict[str, str] | None:
        """Return why this picture could not be looked at, or None."""
        return error_of(image.error)

    @property
    def _names(self) -> list[str]:
        names: list[str] = self.context["detection"].model.classes
        return names

    def _found(self, image: DetectionImage) -> list[Any]:
        return counts.above(image.objects_found, self.context["conf"])

    def _url(self, name: str, image: DetectionImage) -> str | None:
        if not image.width:  # refused, or not looked at yet
            return None
        where = [image.detection_id, image.index]
        return reverse(name, args=where, request=self.context["request"])


def shown_object(found: Any, names: list[str]) -> dict[str, Any]:
    """Return a stored object as the contract names it."""
    index, confidence, x1, y1, x2, y2 = found
    return {
        "class_id": int(index),
        "class_name": counts.name_of(names, int(index)),
        "confidence": confidence,
        "box": {"x1": x1, "y1": y1, "x2": x2, "y2": y2},
    }


class DetectionSummarySerializer(JobSerializerMixin, ScopedModelSerializer):
    """A detection in a list, without its pictures."""

    project = ProjectField(read_only=True)
    model = ScopedField(read_only=True)

    class Meta:
        model = Detection
        fields = [
            "id",
            "project",
            "model",
            "status",
            "progress",
            "error",
            "conf",
            "iou",
            "created_at",
            "finished_at",
        ]


class TimingSerializer(serializers.Serializer[Any]):
    """Milliseconds spent, all pictures together; nothing yet while it waits."""

    queue = serializers.FloatField(default=0.0)
    preprocess = serializers.FloatField(default=0.0)
    inference = serializers.FloatField(default=0.0)
    postprocess = serializers.FloatField(default=0.0)
    total = serializers.FloatField(default=0.0)


class DetectionSerializer(DetectionSummarySerializer):
    """A detection with its pictures and counts."""

    images = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    timing_ms = TimingSerializer(read_only=True)

    class Meta(DetectionSummarySerializer.Meta):
        fields = [*DetectionSummarySerializer.Meta.fields, "images", "counts", "timing_ms"]

    @extend_schema_field(DetectionImageSerializer(many=True))
    def get_images(self, detection: Detection) -> list[Any]:
        """Return the pictures in the order in which they were sent."""
        context = {**self.context, "detection": detection, "conf": self._conf(detection)}
        rows = detection.images.all()
        return list(DetectionImageSerializer(rows, many=True, context=context).data)

    @extend_schema_field(_COUNTS)
    def get_counts(self, detection: Detection) -> dict[str, int]:
        """Return how many of each class on all pictures together."""
        names, conf = detection.model.classes, self._conf(detection)
        each = (
            counts.count(counts.above(image.objects_found, conf), names)
            for image in detection.images.all()
        )
        return counts.add(each, names)

    def _conf(self, detection: Detection) -> float:
        """Return the detection's confidence, or the one that a reader asks for in its place."""
        return float(self.context.get("conf") or detection.conf)


class NewDetectionSerializer(ScopedSerializer):
    """The form that starts a detection; `images` are the files."""

    model = ScopedField(queryset=TrainedModel.objects.all(), required=False)
    project = ProjectField(required=False)
    images = serializers.ListField(child=serializers.FileField(allow_empty_file=True))
    conf = ConfidenceField(default=DEFAULT_CONF)
    iou = ShareField(default=DEFAULT_IOU)
    wait = serializers.FloatField(default=30.0, min_value=0.0, max_value=60.0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find out which project is meant.

        Raises:
            ValidationError: neither a model nor a project is named.
        """
        project: Project | None = attrs.get("project")
        model: TrainedModel | None = attrs.get("model")
        if project is None and model is None:
            message = serializers.Field.default_error_messages["required"]
            raise serializers.ValidationError({"model": message}, code="required")
        return {**attrs, "model": model, "project": project or (model and model.project)}


class ClassFiguresSerializer(serializers.Serializer[Any]):
    """How right the model is on one class; null where the split has none of it."""

    class_name = serializers.CharField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)
    ap50 = serializers.FloatField(allow_null=True)
    ap50_95 = serializers.FloatField(allow_null=True)
    boxes = serializers.IntegerField()


class ConfusionSerializer(serializers.Serializer[Any]):
    """Rows are predictions, columns the truth; the last label is background."""

    labels = serializers.ListField(child=serializers.CharField())
    matrix = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class EvaluationSerializer(JobSerializerMixin, ScopedModelSerializer):
    """An evaluation; its figures are null until it has ended."""

    project = ProjectField(read_only=True)
    model = ScopedField(queryset=TrainedModel.objects.all())
    dataset_version = ScopedField(
        queryset=DatasetVersion.objects.select_related("dataset__project").all()
    )
    split = serializers.ChoiceField(choices=DatasetImage.Split.choices, default="val")
    conf = ConfidenceField(default=DEFAULT_CONF)
    iou = ShareField(default=DEFAULT_IOU)
    metrics = serializers.SerializerMethodField()
    per_class = serializers.SerializerMethodField()
    confusion = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()
    worst_images = serializers.SerializerMethodField()

    class Meta:
        model = Evaluation
        fields = [
            "id",
            "project",
            "model",
            "dataset_version",
            "split",
            "conf",
            "iou",
            "status",
            "progress",
            "error",
            "metrics",
            "per_class",
            "confusion",
            "counts",
            "worst_images",
            "created_at",
            "finished_at",
        ]

    @extend_schema_field(serializers.DictField(child=serializers.FloatField(), allow_null=True))
    def get_metrics(self, evaluation: Evaluation) -> Any:
        """Return precision, recall, mAP50 and mAP50-95."""
        return evaluation.result.get("metrics")

    @extend_schema_field(ClassFiguresSerializer(many=True))
    def get_per_class(self, evaluation: Evaluation) -> Any:
        """Return the figures of each class."""
        return evaluation.result.get("per_class", [])

    @extend_schema_field(ConfusionSerializer(allow_null=True))
    def get_confusion(self, evaluation: Evaluation) -> Any:
        """Return what was taken for what."""
        return evaluation.result.get("confusion")

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_counts(self, evaluation: Evaluation) -> Any:
        """Return how many pictures were counted right, and true and predicted counts a class."""
        return evaluation.result.get("counts")

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_worst_images(self, evaluation: Evaluation) -> Any:
        """Return the pictures whose counts are furthest off."""
        return evaluation.result.get("worst_images", [])
