"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from cvtrainer_site import health_views, operations, views
from cvtrainer_site.source import source

handler400 = "cvtrainer_site.api.handlers.bad_request"
handler403 = "cvtrainer_site.api.handlers.permission_denied"
handler404 = "cvtrainer_site.api.handlers.page_not_found"
handler429 = "cvtrainer_site.api.handlers.too_many_requests"
handler500 = "cvtrainer_site.api.handlers.server_error"

urlpatterns = [
    path("", views.home, name="home"),
    path("running/", views.home_running, name="home_running"),
    path("sample/", views.sample_create, name="sample_create"),
    path("activity/", views.activity, name="activity"),
    path("projects/<uuid:project_id>/", views.project_overview, name="project_overview"),
    path("operations/workers/", operations.worker_list, name="worker_list"),
    path("operations/workers/rows/", operations.worker_rows, name="worker_rows"),
    path(
        "operations/workers/<uuid:worker_id>/drain/", operations.worker_drain, name="worker_drain"
    ),
    path("accounts/", include("accounts.sign_in_urls")),
    path("admin/", admin.site.urls),
    path("healthz", health_views.healthz, name="healthz"),
    path("readyz", health_views.readyz, name="readyz"),
    path("metrics", health_views.metrics, name="metrics"),
    path("source/", source, name="source"),
    path("api/", include("cvtrainer_site.api.urls")),
    path("", include("accounts.urls")),
    path("", include("projects.urls")),
    path("", include("datasets.urls")),
    path("", include("training.urls")),
    path("", include("detection.urls")),
]
