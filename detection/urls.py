"""Addresses of the pages."""

from django.urls import path

from detection import model_views, views

app_name = "detection"
urlpatterns = [
    path("projects/<uuid:project_id>/detect/", views.detect, name="detect"),
    path("projects/<uuid:project_id>/detections/", views.detection_list, name="detection_list"),
    path("detections/<uuid:detection_id>/", views.detection_detail, name="detection_detail"),
    path("detections/<uuid:detection_id>/delete/", views.detection_delete, name="detection_delete"),
    path("models/<uuid:model_id>/", model_views.model_detail, name="model_detail"),
    path("models/<uuid:model_id>/stage/", model_views.model_stage, name="model_stage"),
    path(
        "models/<uuid:model_id>/evaluate/", model_views.evaluation_create, name="evaluation_create"
    ),
    path(
        "evaluations/<uuid:evaluation_id>/", model_views.evaluation_detail, name="evaluation_detail"
    ),
    path(
        "evaluations/<uuid:evaluation_id>/cancel/",
        model_views.evaluation_cancel,
        name="evaluation_cancel",
    ),
]
