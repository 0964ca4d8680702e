"""Addresses of the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from datasets.api import DatasetViewSet, ImageViewSet, ImportViewSet, VersionViewSet
from datasets.upload_api import UploadViewSet

router = SimpleRouter(use_regex_path=False)
router.register("imports", ImportViewSet, basename="import")
router.register("datasets", DatasetViewSet, basename="dataset")
router.register("dataset-versions", VersionViewSet, basename="dataset-version")
router.register("images", ImageViewSet, basename="image")

#: Files, which people and tools ask for without a slash behind the name too.
_FILES = {"data.yaml": "data_yaml", "mapping.txt": "mapping"}

urlpatterns = [
    *router.urls,
    path(
        "uploads/",
        UploadViewSet.as_view({"post": "create", "options": "discover"}),
        name="upload-list",
    ),
    # Without a slash at the end: clients take the last part of the address for the id.
    path(
        "uploads/<uuid:pk>",
        UploadViewSet.as_view(
            {"head": "offset", "patch": "append", "delete": "destroy", "options": "discover"}
        ),
        name="upload-detail",
    ),
    *(
        path(
            f"dataset-versions/<uuid:pk>/{name}",
            VersionViewSet.as_view({"get": action}, schema=None),
        )
        for name, action in _FILES.items()
    ),
]
