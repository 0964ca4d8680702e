"""Addresses of the API."""

from rest_framework.routers import SimpleRouter

from datasets.api import DatasetViewSet, ImageViewSet, ImportViewSet, VersionViewSet

router = SimpleRouter(use_regex_path=False)
router.register("imports", ImportViewSet, basename="import")
router.register("datasets", DatasetViewSet, basename="dataset")
router.register("dataset-versions", VersionViewSet, basename="dataset-version")
router.register("images", ImageViewSet, basename="image")

urlpatterns = router.urls
