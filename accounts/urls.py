"""Addresses of the pages."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/language/", views.language, name="language"),
    path("account/letters/", views.letters, name="letters"),
    path("account/tokens/", views.token_list, name="token_list"),
    path("account/tokens/<uuid:token_id>/revoke/", views.token_revoke, name="token_revoke"),
]
