"""Version 1 of the API: each app brings its own addresses."""

from django.urls import include, path

urlpatterns = [
    path(
        "v1/",
        include(
            [
                path("", include(f"{app}.api_urls"))
                for app in ("accounts", "projects", "jobs", "datasets", "training", "detection")
            ]
        ),
    ),
]
