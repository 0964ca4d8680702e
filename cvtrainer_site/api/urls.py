"""Version 1 of the API: each app brings its own addresses."""

from django.urls import include, path

from cvtrainer_site.api import docs

_APPS = ("accounts", "projects", "jobs", "datasets", "training", "detection")

urlpatterns = [
    path("docs/", docs.docs, name="api-docs"),
    path(
        "v1/",
        include(
            [
                path("schema/", docs.SchemaView.as_view(), name="schema"),
                *(path("", include(f"{app}.api_urls")) for app in _APPS),
            ]
        ),
    ),
]
