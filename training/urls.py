"""Addresses of the pages."""

from django.urls import path

from training import comparison_views, create_views, result_views, views

app_name = "training"
urlpatterns = [
    path("projects/<uuid:project_id>/training/", views.run_list, name="run_list"),
    path(
        "projects/<uuid:project_id>/training/active/", views.run_list_active, name="run_list_active"
    ),
    path("projects/<uuid:project_id>/training/new/", create_views.run_create, name="run_create"),
    path("projects/<uuid:project_id>/training/check/", create_views.run_check, name="run_check"),
    path("projects/<uuid:project_id>/models/", views.model_list, name="model_list"),
    path(
        "projects/<uuid:project_id>/training-runs/compare/",
        comparison_views.run_compare,
        name="run_compare",
    ),
    path("training-runs/<uuid:run_id>/", views.run_detail, name="run_detail"),
    path("training-runs/<uuid:run_id>/queue/", views.run_queue, name="run_queue"),
    path("training-runs/<uuid:run_id>/results/", result_views.run_results, name="run_results"),
    path("training-runs/<uuid:run_id>/repeat/", result_views.run_repeat, name="run_repeat"),
    path("training-runs/<uuid:run_id>/stop/", views.run_stop, name="run_stop"),
    path("training-runs/<uuid:run_id>/cancel/", views.run_cancel, name="run_cancel"),
    path("training-runs/<uuid:run_id>/pause/", views.run_pause, name="run_pause"),
    path("training-runs/<uuid:run_id>/priority/", views.run_priority, name="run_priority"),
    path("training-runs/<uuid:run_id>/resume/", views.run_resume, name="run_resume"),
    path("training-runs/<uuid:run_id>/remedy/", views.run_remedy, name="run_remedy"),
]
