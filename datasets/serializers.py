"""How the API shows imports, datasets and versions, and what it takes."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.custom_vision_preview import address_of
from datasets.image_problems import TITLES
from datasets.models import Dataset, DatasetImage, DatasetVersion, Import
from datasets.split_serializers import SplitSerializer
from datasets.upload_field import UploadField
from jobs.errors import UserError, describe
from jobs.serializers import JobSerializerMixin
from projects.serializer_base import (
    NameField,
    ProjectField,
    ScopedField,
    ScopedModelSerializer,
    ScopedSerializer,
)


class ImportSerializer(JobSerializerMixin, ScopedModelSerializer):
    """An import and how it stands."""

    project = ProjectField(read_only=True)
    dataset = serializers.UUIDField(source="version.dataset_id", read_only=True)
    dataset_version = serializers.UUIDField(source="version_id", read_only=True)

    class Meta:
        model = Import
        fields = [
            "id",
            "project",
            "dataset",
            "dataset_version",
            "source",
            "file_name",
            "status",
            "progress",
            "error",
            "created_at",
            "finished_at",
        ]


class _NewImportSerializer(SplitSerializer, ScopedSerializer):
    """What every import takes."""

    project = ProjectField()
    dataset = ScopedField(queryset=Dataset.objects.all(), required=False)
    dataset_name = NameField(required=False, allow_blank=True, default="")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=Import.Source.choices, default=Import.Source.ZIP
    )
    review = serializers.BooleanField(
        default=False, help_text="the version waits for `confirm` before it can be used"
    )
    mode = serializers.ChoiceField(
        choices=["replace", "add"],
        default="replace",
        help_text="whether the pictures of the dataset's newest version stay in the next one",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Say what the mode means."""
        attrs = super().validate(attrs)
        attrs["adds"] = attrs.pop("mode") == "add"
        return attrs


class NewImportSerializer(_NewImportSerializer):
    """The form that starts the import of a ZIP."""

    file = serializers.FileField(required=False, allow_empty_file=True)
    upload = UploadField(required=False, help_text="id of a complete upload, in place of `file`")
    keep_splits = serializers.BooleanField(default=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for what the source needs.

        Raises:
            ValidationError: the file is missing, or there are two.
        """
        attrs = super().validate(attrs)
        if "file" in attrs and "upload" in attrs:
            raise serializers.ValidationError({"upload": _("Send a file or an upload, not both.")})
        if "upload" in attrs:
            return _for_project(attrs)
        if attrs["source"] == Import.Source.ZIP and attrs.get("file") is None:
            message = serializers.Field.default_error_messages["required"]
            raise serializers.ValidationError({"file": message}, code="required")
        return attrs


def _for_project(attrs: dict[str, Any]) -> dict[str, Any]:
    """Refuse an upload that was begun for another project than it is imported into."""
    upload = attrs["upload"]
    if upload.project_id not in {None, attrs["project"].pk}:
        message = serializers.PrimaryKeyRelatedField.default_error_messages["does_not_exist"]
        shown = str(message).format(pk_value=upload.pk)
        raise serializers.ValidationError({"upload": shown}, code="does_not_exist")
    return attrs


class _CustomVisionFields(serializers.Serializer[Any]):
    """Where a Custom Vision project is, and what opens it."""

    endpoint = serializers.CharField(max_length=500)
    custom_vision_project = serializers.CharField(max_length=500)
    training_key = serializers.CharField(max_length=200, write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Make an address of what was pasted.

        Raises:
            ValidationError: it is none; the field tells which of the two.
        """
        attrs = super().validate(attrs)
        endpoint, project = attrs.pop("endpoint"), attrs.pop("custom_vision_project")
        try:
            attrs["address"] = address_of(endpoint, project)
        except UserError as error:
            is_project = error.code == "custom_vision_project_id"
            field = "custom_vision_project" if is_project else "endpoint"
            detail = f"{error.message} {error.hint}"
            raise serializers.ValidationError({field: detail}, code=error.code) from error
        return attrs


class NewCustomVisionImportSerializer(_CustomVisionFields, _NewImportSerializer):
    """The form that starts the import of a Custom Vision project."""

    include_untagged = serializers.BooleanField(default=False)


class CustomVisionPreviewSerializer(_CustomVisionFields, ScopedSerializer):
    """The Custom Vision project that somebody wants to look at, and for which project here."""

    project = ProjectField()


class PreviewTagSerializer(serializers.Serializer[Any]):
    """A tag there; `Regular`, `GeneralProduct` become classes, `Negative` does not."""

    name = serializers.CharField()
    type = serializers.CharField()
    images = serializers.IntegerField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What a Custom Vision project holds, and what its import will take."""

    name = serializers.CharField()
    domain = serializers.CharField()
    tags = PreviewTagSerializer(many=True)
    tagged = serializers.IntegerField()
    untagged = serializers.IntegerField()
    estimated_bytes = serializers.IntegerField(allow_null=True)
    estimated_seconds = serializers.FloatField(allow_null=True)


class DatasetSerializer(ScopedModelSerializer):
    """A dataset with how many versions it has."""

    project = ProjectField(read_only=True)
    name = NameField()
    latest_version = serializers.UUIDField(read_only=True, allow_null=True)
    versions = serializers.IntegerField(source="version_count", read_only=True)

    class Meta:
        model = Dataset
        fields = ["id", "project", "name", "latest_version", "versions", "created_at"]


class ClassSerializer(serializers.Serializer[Any]):
    """A class with how often it occurs."""

    index = serializers.IntegerField()
    name = serializers.CharField()
    boxes = serializers.IntegerField()
    images = serializers.IntegerField()


class ImageCountsSerializer(serializers.Serializer[Any]):
    """How many images a version has, and in which split."""

    total = serializers.IntegerField(source="images_total")
    train = serializers.IntegerField(source="train_images")
    val = serializers.IntegerField(source="val_images")
    test = serializers.IntegerField(source="test_images")


class WarningSerializer(serializers.Serializer[Any]):
    """Something that was left out or repaired."""

    code = serializers.CharField()
    message = serializers.CharField()
    count = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())


class VersionSerializer(ScopedModelSerializer):
    """A version: what is in it and what was left out."""

    dataset = ScopedField(read_only=True)
    classes = ClassSerializer(many=True, read_only=True)
    images = ImageCountsSerializer(source="*", read_only=True)
    warnings = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    needs_review = serializers.SerializerMethodField(
        help_text="all is there, and waits for somebody to confirm it"
    )
    parent = serializers.PrimaryKeyRelatedField(  # type: ignore[var-annotated,assignment]
        read_only=True, help_text="the version that it was made from, or that it adds to"
    )

    class Meta:
        model = DatasetVersion
        fields = [
            "id",
            "dataset",
            "number",
            "source",
            "status",
            "classes",
            "images",
            "boxes",
            "split_ratio",
            "split_seed",
            "test_ratio",
            "fingerprint",
            "layout",
            "warnings",
            "baselines",
            "parent",
            "needs_review",
            "created_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=["importing", "ready", "failed"]))
    def get_status(self, version: DatasetVersion) -> str:
        """Return whether it can be used; to a client, one that waits is still on its way."""
        if version.status == DatasetVersion.Status.REVIEW:
            return DatasetVersion.Status.IMPORTING.value
        return version.status

    def get_needs_review(self, version: DatasetVersion) -> bool:
        """Return whether somebody has to confirm it before it can be used."""
        return version.status == DatasetVersion.Status.REVIEW

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, version: DatasetVersion) -> list[dict[str, Any]]:
        """Return what was left out or repaired, in the reader's language."""
        return [shown_warning(row) for row in version.warnings]


def shown_warning(row: dict[str, Any]) -> dict[str, Any]:
    """Return a stored problem with its sentence in the active language."""
    return {**row, "message": describe(row["code"], row)[0]}


class ImageBoxSerializer(serializers.Serializer[Any]):
    """A box in pixels of the upright picture."""

    class_id = serializers.IntegerField()
    class_name = serializers.CharField()
    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class ImageSerializer(serializers.ModelSerializer[DatasetImage]):
    """A picture of a version with its boxes; `class_names` comes by the context."""

    width = serializers.IntegerField(source="picture.width", read_only=True)
    height = serializers.IntegerField(source="picture.height", read_only=True)
    url = serializers.SerializerMethodField()
    thumbnail_url = serializers.SerializerMethodField()
    boxes = serializers.SerializerMethodField()

    class Meta:
        model = DatasetImage
        fields = ["id", "file_name", "width", "height", "split", "url", "thumbnail_url", "boxes"]

    def get_url(self, image: DatasetImage) -> str:
        """Return where the picture is."""
        return self._address("image-file", image)

    def get_thumbnail_url(self, image: DatasetImage) -> str:
        """Return where the small picture is."""
        return self._address("image-thumbnail", image)

    @extend_schema_field(ImageBoxSerializer(many=True))
    def get_boxes(self, image: DatasetImage) -> list[dict[str, Any]]:
        """Return the boxes with the names of their classes."""
        names: dict[int, str] = self.context["class_names"]
        return [
            {
                "class_id": int(index),
                "class_name": names.get(int(index), str(index)),
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
            }
            for index, x1, y1, x2, y2 in image.boxes
        ]

    def _address(self, name: str, image: DatasetImage) -> str:
        return reverse(name, args=[image.pk], request=self.context["request"])


class ImageQuerySerializer(serializers.Serializer[Any]):
    """`?split=&class=&problem=&q=`: which pictures to list; a class by its index or its name."""

    split = serializers.ChoiceField(choices=DatasetImage.Split.choices, required=False)
    problem = serializers.ChoiceField(choices=list(TITLES), required=False)
    q = serializers.CharField(required=False, max_length=100, allow_blank=True)

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which Python cannot name."""
        name = serializers.CharField(required=False, max_length=100, allow_blank=True)
        return {**super().get_fields(), "class": name}
