"""Addresses of the pages."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/language/", views.language, name="language"),
    path("account/tokens/", views.token_list, name="token_list"),
]
