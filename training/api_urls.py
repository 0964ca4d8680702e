"""Addresses of the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from training.api import ModelViewSet, RunViewSet, TrainingOptionsView, TrainingPresetsView

router = SimpleRouter(use_regex_path=False)
router.register("training-runs", RunViewSet, basename="run")
router.register("models", ModelViewSet, basename="model")

urlpatterns = [
    path("training-options/", TrainingOptionsView.as_view(), name="training-options"),
    path("training-presets/", TrainingPresetsView.as_view(), name="training-presets"),
    *router.urls,
]
