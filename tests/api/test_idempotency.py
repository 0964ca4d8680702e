"""`Idempotency-Key`: the same request twice makes one thing and gets one answer."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import override_settings
from django.urls import path
from django.utils import timezone
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.models import ApiToken, IdempotentAnswer, User
from jobs.errors import UserError
from projects.models import Project
from tests.factories import make_token, make_user
from tests.personas import ClientFactory

URL = "/api/v1/projects/"
KEY = {"idempotency-key": "order-1"}


def test_the_same_request_again_gets_the_first_answer(api: ClientFactory, owner: User) -> None:
    client = api(owner)

    first = client.post(URL, {"name": "A", "description": "b"}, headers=KEY)
    again = client.post(URL, {"description": "b", "name": "A"}, headers=KEY)

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Project.objects.count() == 1


def test_another_body_is_refused(api: ClientFactory, owner: User) -> None:
    client = api(owner)
    client.post(URL, {"name": "A"}, headers=KEY)

    answer = client.post(URL, {"name": "B"}, headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_mismatch"
    assert Project.objects.count() == 1


def test_the_same_key_at_another_address_is_refused(api: ClientFactory, owner: User) -> None:
    client = api(owner)
    client.post(URL, {"name": "A"}, headers=KEY)

    answer = client.post("/api/v1/tokens/", {"name": "A", "scopes": ["read"]}, headers=KEY)

    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_keys_are_ones_own(api: ClientFactory, owner: User, outsider: User) -> None:
    for client in (api(owner), api(outsider), api(owner, "manage"), api(owner, "manage")):
        assert client.post(URL, {"name": "A"}, headers=KEY).status_code == 201

    assert Project.objects.count() == 4


def test_an_error_frees_the_key(api: ClientFactory, owner: User) -> None:
    client = api(owner)

    assert client.post(URL, {"name": ""}, headers=KEY).status_code == 400
    assert not IdempotentAnswer.objects.exists()
    assert client.post(URL, {"name": "A"}, headers=KEY).status_code == 201


def test_without_a_key_each_makes_one(api: ClientFactory, owner: User) -> None:
    for _ in range(2):
        api(owner).post(URL, {"name": "A"})

    assert Project.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_sensible_length(api: ClientFactory, owner: User, key: str) -> None:
    answer = api(owner).post(URL, {"name": "A"}, headers={"idempotency-key": key})

    assert answer.status_code == 400
    assert not Project.objects.exists()


def test_a_key_is_forgotten_after_a_day(api: ClientFactory, owner: User) -> None:
    client = api(owner)
    client.post(URL, {"name": "A"}, headers=KEY)
    client.post(URL, {"name": "A"}, headers={"idempotency-key": "order-2"})
    start = timezone.now()

    with time_machine.travel(start + timedelta(hours=23, minutes=59)):
        assert client.post(URL, {"name": "B"}, headers=KEY).status_code == 422
    with time_machine.travel(start + timedelta(hours=24, minutes=1)):
        assert client.post(URL, {"name": "B"}, headers=KEY).status_code == 201

    assert list(IdempotentAnswer.objects.values_list("key", flat=True)) == ["order-1"]


def test_a_secret_is_never_stored(api: ClientFactory, owner: User) -> None:
    client = api(owner)
    body = {"name": "eSales", "scopes": ["read"]}

    first = client.post("/api/v1/tokens/", body, headers=KEY)
    again = client.post("/api/v1/tokens/", body, headers=KEY)

    assert first.json()["token"].startswith("cvt_")
    assert again.json() == {**first.json(), "token": None}
    assert ApiToken.objects.count() == 1
    assert first.json()["token"] not in str(list(IdempotentAnswer.objects.values()))


class UploadView(APIView):
    """Makes a project named after a file."""

    parser_classes = [MultiPartParser, JSONParser]

    @idempotent()
    def post(self, request: Request) -> Response:
        """Make it, unless the file says no."""
        text = request.data["file"].read().decode()
        Project.objects.create(name=text[:10])
        if text == "no":
            raise UserError("not_active")
        return Response({"size": len(text)}, status=201)


urlpatterns = [path("api/v1/upload/", UploadView.as_view())]


@override_settings(ROOT_URLCONF=__name__)
def test_the_bytes_of_a_file_count(api: ClientFactory, owner: User) -> None:
    client = api(owner)

    def send(content: bytes, name: str = "a.zip") -> Any:
        file = SimpleUploadedFile(name, content)
        return client.post("/api/v1/upload/", {"file": file}, headers=KEY, format="multipart")

    big = b"x" * 3_000_000
    assert send(big).json() == {"size": 3_000_000}
    assert send(big).status_code == 201
    assert send(big[:-1] + b"y").status_code == 422
    assert send(big, name="b.zip").status_code == 422
    assert Project.objects.count() == 1


@override_settings(ROOT_URLCONF=__name__)
def test_an_error_undoes_all(api: ClientFactory, owner: User) -> None:
    file = SimpleUploadedFile("a.zip", b"no")
    answer = api(owner).post("/api/v1/upload/", {"file": file}, headers=KEY, format="multipart")

    assert answer.status_code == 409
    assert not Project.objects.exists()
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one() -> None:
    user = make_user()
    _, secret = make_token(user)
    start = threading.Barrier(20)
    answers: list[Any] = []

    def send() -> None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        start.wait()
        try:
            answer = client.post(URL, {"name": "A"}, headers=KEY)
            answers.append((answer.status_code, answer.json()))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [status for status, _ in answers] == [201] * 20
    assert len({body["id"] for _, body in answers}) == 1
    assert Project.objects.count() == 1
