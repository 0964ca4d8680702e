"""All addresses of the site."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("cvtrainer_site.api.urls")),
    path("", include("accounts.urls")),
    path("", include("projects.urls")),
    path("", include("datasets.urls")),
    path("", include("training.urls")),
    path("", include("detection.urls")),
]
