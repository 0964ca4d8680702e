"""Addresses of the pages."""

from django.urls import path

from datasets import (
    custom_vision_views,
    gallery_views,
    import_views,
    review_views,
    version_views,
    views,
)

app_name = "datasets"
urlpatterns = [
    path("projects/<uuid:project_id>/data/", views.dataset_list, name="dataset_list"),
    path("projects/<uuid:project_id>/import/", import_views.import_create, name="import_create"),
    path(
        "projects/<uuid:project_id>/import/custom-vision/",
        custom_vision_views.custom_vision_create,
        name="custom_vision_create",
    ),
    path(
        "projects/<uuid:project_id>/import/custom-vision/preview/",
        custom_vision_views.custom_vision_preview,
        name="custom_vision_preview",
    ),
    path("imports/<uuid:import_id>/", import_views.import_detail, name="import_detail"),
    path("imports/<uuid:import_id>/cancel/", import_views.import_cancel, name="import_cancel"),
    path("imports/<uuid:import_id>/retry/", import_views.import_retry, name="import_retry"),
    path("datasets/<uuid:dataset_id>/edit/", views.dataset_edit, name="dataset_edit"),
    path("datasets/<uuid:dataset_id>/delete/", views.dataset_delete, name="dataset_delete"),
    path("dataset-versions/<uuid:version_id>/", views.version_detail, name="version_detail"),
    path("dataset-versions/<uuid:version_id>/health/", views.version_health, name="version_health"),
    path("dataset-versions/<uuid:version_id>/images/", gallery_views.image_list, name="image_list"),
    path(
        "dataset-versions/<uuid:version_id>/resplit/", views.version_resplit, name="version_resplit"
    ),
    path(
        "dataset-versions/<uuid:version_id>/compare/<uuid:other_id>/",
        version_views.version_compare,
        name="version_compare",
    ),
    path(
        "dataset-versions/<uuid:version_id>/restore/",
        version_views.version_restore,
        name="version_restore",
    ),
    path(
        "dataset-versions/<uuid:version_id>/review/",
        review_views.version_review,
        name="version_review",
    ),
    path(
        "dataset-versions/<uuid:version_id>/discard/",
        review_views.version_discard,
        name="version_discard",
    ),
    path("images/<uuid:image_id>/", gallery_views.image_detail, name="image_detail"),
]
