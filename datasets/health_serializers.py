"""How the API shows the health report of a version."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from datasets.class_table import ClassRow, class_table
from datasets.health_figures import duplicates, pictures_by_label
from datasets.health_findings import Finding, findings, is_ready
from datasets.models import DatasetImage, DatasetVersion
from datasets.unreadable import TITLES, unreadable_of

_COUNTS = serializers.DictField(child=serializers.IntegerField())


class FindingSerializer(serializers.Serializer[Finding]):
    """Something that harms a model, and what to do about it."""

    code = serializers.CharField()
    is_missing = serializers.BooleanField(help_text="nothing can be trained before it is mended")
    message = serializers.CharField()
    hint = serializers.CharField()
    examples = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), help_text="image, file_name"
    )


class ClassHealthSerializer(serializers.Serializer[ClassRow]):
    """How often a class occurs, by split."""

    index = serializers.IntegerField(source="row.index")
    name = serializers.CharField(source="row.name")
    boxes = serializers.SerializerMethodField()
    images = serializers.SerializerMethodField()

    @extend_schema_field(_COUNTS)
    def get_boxes(self, row: ClassRow) -> dict[str, int]:
        """Return its boxes in each split."""
        return _by_split(row.boxes)

    @extend_schema_field(_COUNTS)
    def get_images(self, row: ClassRow) -> dict[str, int]:
        """Return the pictures of each split that show it."""
        return _by_split(row.images)


class LabelCountsSerializer(serializers.Serializer[Any]):
    """Pictures by what is known to be on them."""

    labelled = serializers.IntegerField(help_text="with a box")
    empty = serializers.IntegerField(help_text="without one, on purpose")
    unlabelled = serializers.IntegerField(help_text="nobody says what is on them")


class DuplicatesSerializer(serializers.Serializer[Any]):
    """Pictures that are there more than once."""

    identical = serializers.IntegerField(help_text="came as several files of the same bytes")
    look_alike = serializers.IntegerField(help_text="look like another picture")


class UnreadableSerializer(serializers.Serializer[Any]):
    """Files that could not be read when the pictures came in, of one kind."""

    code = serializers.CharField()
    message = serializers.CharField()
    count = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())


class HealthSerializer(serializers.Serializer[Any]):
    """The health report: is the version ready to train, what harms it, and its measures."""

    ready = serializers.BooleanField()
    findings = FindingSerializer(many=True)
    classes = ClassHealthSerializer(many=True)
    pictures = LabelCountsSerializer()
    duplicates = DuplicatesSerializer()
    unreadable = UnreadableSerializer(many=True)
    measures = serializers.DictField()


def health_of(version: DatasetVersion) -> dict[str, Any]:
    """Return the report of a version that is ready."""
    classes = class_table(version)
    found = findings(version, classes)
    return {
        "ready": is_ready(found),
        "findings": found,
        "classes": classes,
        "pictures": pictures_by_label(version),
        "duplicates": duplicates(version),
        "unreadable": [{**row, "message": TITLES[row["code"]]} for row in unreadable_of(version)],
        "measures": version.health,
    }


def _by_split(counts: dict[str, int]) -> dict[str, int]:
    return {split: counts.get(split, 0) for split in DatasetImage.Split.values}
