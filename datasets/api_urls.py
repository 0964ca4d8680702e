"""Addresses of the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from datasets.api import DatasetViewSet, ImageViewSet, ImportViewSet, VersionViewSet

router = SimpleRouter(use_regex_path=False)
router.register("imports", ImportViewSet, basename="import")
router.register("datasets", DatasetViewSet, basename="dataset")
router.register("dataset-versions", VersionViewSet, basename="dataset-version")
router.register("images", ImageViewSet, basename="image")

#: Files, which people and tools ask for without a slash behind the name too.
_FILES = {"data.yaml": "data_yaml", "mapping.txt": "mapping"}

urlpatterns = [
    *router.urls,
    *(
        path(
            f"dataset-versions/<uuid:pk>/{name}",
            VersionViewSet.as_view({"get": action}, schema=None),
        )
        for name, action in _FILES.items()
    ),
]
