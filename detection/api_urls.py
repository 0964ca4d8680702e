"""Addresses of the API."""

from rest_framework.routers import SimpleRouter

from detection.api import DetectionViewSet, EvaluationViewSet

router = SimpleRouter(use_regex_path=False)
router.register("detections", DetectionViewSet, basename="detection")
router.register("evaluations", EvaluationViewSet, basename="evaluation")

urlpatterns = router.urls
