"""Datasets and what is in them in the Django admin: to be looked at; imports write them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline
from datasets.models import (
    Dataset,
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    ImageClass,
    ImageProblem,
    Import,
    ImportEvent,
    Picture,
    RemotePicture,
    Upload,
)


class VersionInline(ReadOnlyInline):
    """The versions of a dataset."""

    model = DatasetVersion
    fields = ["number", "status", "source", "train_images", "val_images", "boxes", "created_at"]
    show_change_link = True


class ClassInline(ReadOnlyInline):
    """The classes of a version."""

    model = DatasetClass
    fields = ["index", "name", "boxes", "images"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    """Datasets."""

    list_display = ["name", "project", "versions", "newest", "created_at"]
    list_select_related = ["project"]
    search_fields = ["=id", "name", "project__name"]
    list_filter = ["created_at"]
    date_hierarchy = "created_at"
    inlines = [VersionInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count the versions in the same query."""
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(
            version_count=Count("versions"), newest=Max("versions__number")
        )
        return counted

    @admin.display(description=_("versions"), ordering="version_count")
    def versions(self, dataset: Any) -> int:
        """How many versions it has."""
        return int(dataset.version_count)

    @admin.display(description=_("newest"), ordering="newest")
    def newest(self, dataset: Any) -> int | None:
        """The number of the newest version."""
        found: int | None = dataset.newest
        return found


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    """Versions, with their classes below."""

    list_display = [
        "dataset",
        "number",
        "status",
        "source",
        "train_images",
        "val_images",
        "test_images",
        "boxes",
        "created_at",
    ]
    list_select_related = ["dataset"]
    search_fields = ["=id", "dataset__name", "dataset__project__name", "=fingerprint"]
    list_filter = ["status", "source", "created_at"]
    date_hierarchy = "created_at"
    inlines = [ClassInline]


@admin.register(DatasetClass)
class DatasetClassAdmin(ReadOnlyAdmin):
    """Classes of all versions: where does a name occur?"""

    list_display = ["name", "index", "version", "boxes", "images"]
    list_select_related = ["version__dataset"]
    search_fields = ["name", "version__dataset__name"]


@admin.register(Picture)
class PictureAdmin(ReadOnlyAdmin):
    """Pictures in storage, once a project."""

    list_display = ["sha256", "project", "width", "height", "size", "orientation", "created_at"]
    list_select_related = ["project"]
    search_fields = ["=id", "sha256__startswith", "project__name"]
    list_filter = ["orientation", "created_at"]
    date_hierarchy = "created_at"
    readonly_fields = ["file", "thumbnail"]


@admin.register(DatasetImage)
class DatasetImageAdmin(ReadOnlyAdmin):
    """Pictures in versions, with their split and boxes."""

    list_display = ["file_name", "version", "position", "split", "box_count"]
    list_select_related = ["version__dataset"]
    search_fields = ["=id", "file_name", "version__dataset__name"]
    list_filter = ["split"]
    raw_id_fields = ["version", "picture"]

    @admin.display(description=_("boxes"))
    def box_count(self, image: Any) -> int:
        """How many boxes are on it."""
        return len(image.boxes)


@admin.register(ImageClass)
class ImageClassAdmin(ReadOnlyAdmin):
    """Which picture holds which class: what the gallery filters by."""

    list_display = ["image", "dataset_class", "boxes"]
    list_select_related = ["image", "dataset_class"]
    search_fields = ["image__file_name", "dataset_class__name"]
    raw_id_fields = ["image", "dataset_class"]


@admin.register(ImageProblem)
class ImageProblemAdmin(ReadOnlyAdmin):
    """What is odd about which picture: what the gallery filters by, too."""

    list_display = ["image", "code"]
    list_select_related = ["image"]
    list_filter = ["code"]
    search_fields = ["image__file_name"]
    raw_id_fields = ["version", "image"]


@admin.register(Import)
class ImportAdmin(ReadOnlyAdmin):
    """Imports as jobs: how they stand, who holds them, why they failed."""

    list_display = [
        "file_name",
        "project",
        "version",
        "source",
        "status",
        "attempt",
        "losses",
        "worker",
        "lease_until",
        "created_by",
        "created_at",
        "finished_at",
    ]
    list_select_related = ["project", "version__dataset", "created_by"]
    search_fields = ["=id", "file_name", "project__name", "version__dataset__name", "worker"]
    list_filter = ["status", "source", "created_at"]
    date_hierarchy = "created_at"


@admin.register(ImportEvent)
class ImportEventAdmin(ReadOnlyAdmin):
    """The story of imports, frame by frame."""

    list_display = ["job", "seq", "type", "at", "payload"]
    search_fields = ["=job__id", "payload"]
    list_filter = ["type", "at"]
    ordering = ["-id"]


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    """Files on their way: how far they are, and when they go if nothing more comes."""

    list_display = ["file_name", "project", "user", "offset", "length", "created_at", "expires_at"]
    list_select_related = ["project", "user"]
    search_fields = ["=id", "file_name", "project__name"]
    list_filter = ["created_at"]
    date_hierarchy = "created_at"


@admin.register(RemotePicture)
class RemotePictureAdmin(ReadOnlyAdmin):
    """Pictures of Custom Vision that are here and are not fetched again."""

    list_display = ["remote_id", "origin", "project", "picture", "keep_until"]
    list_select_related = ["project", "picture"]
    search_fields = ["=remote_id", "=origin", "project__name"]
    list_filter = ["keep_until"]
