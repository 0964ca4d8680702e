"""Private files on their way out: Range, ETag, names, safe headers, bounded memory."""

import asyncio
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.asgi import get_asgi_application
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.urls import path

from storage.downloads import stream_file, stream_zip
from storage.zip_stream import ZipMember
from tests.storage.fields import Field

CONTENT = bytes(range(256)) * 4
MIB = 1024 * 1024


@pytest.fixture
def field(any_storage: Storage) -> Field:
    any_storage.save("a.bin", ContentFile(CONTENT))
    return Field(any_storage, "a.bin")


def answer(field: Field, method: str = "GET", **options: Any) -> HttpResponseBase:
    headers = {key: value for key, value in options.items() if key[0].isupper()}
    options = {key: value for key, value in options.items() if not key[0].isupper()}
    request = RequestFactory().generic(
        method, "/", headers={key.replace("_", "-"): value for key, value in headers.items()}
    )
    defaults = {"filename": "a.bin", "content_type": "image/jpeg", "etag": "abc"}
    return stream_file(request, field, **{**defaults, **options})


def body(response: HttpResponseBase) -> bytes:
    return b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]


class TestWhole:
    def test_the_file_with_its_length_type_and_tag(self, field: Field) -> None:
        response = answer(field)
        assert response.status_code == 200
        assert response["Content-Length"] == "1024"
        assert response["Content-Type"] == "image/jpeg"
        assert response["ETag"] == '"abc"'
        assert response["Accept-Ranges"] == "bytes"
        assert body(response) == CONTENT

    def test_head_gives_the_headers_alone(self, field: Field) -> None:
        response = answer(field, "HEAD")
        assert (response.status_code, response["Content-Length"]) == (200, "1024")
        assert body(response) == b""

    def test_a_file_that_is_gone_is_not_found(self, field: Field) -> None:
        field.name = "gone.bin"
        with pytest.raises(Http404):
            answer(field)

    def test_an_empty_file(self, field: Field) -> None:
        field.storage.save("empty", ContentFile(b""))
        field.name = "empty"
        assert body(answer(field)) == b""
        assert answer(field, Range="bytes=0-").status_code == 416


class TestRange:
    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [("0-0", 0, 0), ("0-99", 0, 99), ("1000-", 1000, 1023), ("-24", 1000, 1023),
         ("-5000", 0, 1023), ("1000-5000", 1000, 1023), ("0-", 0, 1023)],
    )  # fmt: skip
    def test_a_part(self, field: Field, asked: str, first: int, last: int) -> None:
        response = answer(field, Range=f"bytes={asked}")
        assert response.status_code == 206
        assert response["Content-Range"] == f"bytes {first}-{last}/1024"
        assert response["Content-Length"] == str(last - first + 1)
        assert body(response) == CONTENT[first : last + 1]

    @pytest.mark.parametrize("asked", ["1024-", "5000-6000", "-0"])
    def test_a_part_that_is_not_there(self, field: Field, asked: str) -> None:
        response = answer(field, Range=f"bytes={asked}")
        assert (response.status_code, response["Content-Range"]) == (416, "bytes */1024")

    @pytest.mark.parametrize(
        "asked", ["bytes=5-1", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", ""]
    )
    def test_what_is_not_one_range_is_answered_in_full(self, field: Field, asked: str) -> None:
        response = answer(field, Range=asked)
        assert (response.status_code, body(response)) == (200, CONTENT)

    def test_if_range_gives_the_part_only_of_the_same_content(self, field: Field) -> None:
        assert answer(field, Range="bytes=0-9", If_Range='"abc"').status_code == 206
        assert answer(field, Range="bytes=0-9", If_Range='"old"').status_code == 200

    def test_head_knows_no_ranges(self, field: Field) -> None:
        assert answer(field, "HEAD", Range="bytes=0-9").status_code == 200


class TestConditions:
    def test_what_the_browser_has_is_not_sent_again(self, field: Field) -> None:
        response = answer(field, If_None_Match='"abc"')
        assert (response.status_code, response["ETag"]) == (304, '"abc"')
        assert body(response) == b""

    def test_a_changed_file_is_sent(self, field: Field) -> None:
        assert answer(field, If_None_Match='"old"').status_code == 200

    def test_a_download_of_other_content_cannot_go_on(self, field: Field) -> None:
        assert answer(field, If_Match='"old"').status_code == 412

    def test_others_keep_no_copy(self, field: Field) -> None:
        assert "private" in answer(field, max_age=60)["Cache-Control"]
        assert "max-age=60" in answer(field, max_age=60)["Cache-Control"]


class TestSafety:
    def test_the_browser_saves_it_under_its_vietnamese_name(self, field: Field) -> None:
        disposition = answer(field, filename="Bia Việt.zip")["Content-Disposition"]
        assert disposition == "attachment; filename*=utf-8''Bia%20Vi%E1%BB%87t.zip"

    def test_no_header_can_be_smuggled_in_a_name(self, field: Field) -> None:
        disposition = answer(field, filename='a"\r\nSet-Cookie: x=1')["Content-Disposition"]
        assert "\n" not in disposition and "\r" not in disposition

    def test_pictures_are_shown_in_the_page(self, field: Field) -> None:
        assert answer(field, inline=True)["Content-Disposition"].startswith("inline")

    @pytest.mark.parametrize("asked", ["", "bytes=0-9"])
    def test_no_browser_runs_what_is_in_it(self, field: Field, asked: str) -> None:
        response = answer(field, Range=asked)
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]


class TestZip:
    def members(self) -> Iterator[ZipMember]:
        yield ZipMember("images/Bia Việt.jpg", [b"pic", b"ture"])
        yield ZipMember("labels/Bia Việt.txt", [b"0 0.5 0.5 1 1\n"], compress=True)
        yield ZipMember("empty.txt", [])

    def test_it_unpacks_to_what_went_in(self) -> None:
        response = stream_zip(RequestFactory().get("/"), self.members(), filename="a.zip")
        with zipfile.ZipFile(io.BytesIO(body(response))) as archive:
            assert archive.testzip() is None
            assert archive.read("images/Bia Việt.jpg") == b"picture"
            assert archive.namelist()[1:] == ["labels/Bia Việt.txt", "empty.txt"]

    def test_the_same_content_makes_the_same_bytes(self) -> None:
        first, second = (
            body(stream_zip(RequestFactory().get("/"), self.members(), filename="a.zip"))
            for _ in range(2)
        )
        assert first == second

    def test_it_is_made_while_it_is_sent(self) -> None:
        made: list[int] = []

        def members() -> Iterator[ZipMember]:
            for i in range(100):
                made.append(i)
                yield ZipMember(f"{i}.bin", [os.urandom(1000)])

        chunks = iter(stream_zip(RequestFactory().get("/"), members(), filename="a.zip"))
        next(chunks)
        assert len(made) <= 2

    def test_a_member_that_fails_leaves_a_visibly_broken_archive(self) -> None:
        def failing() -> Iterator[bytes]:
            yield b"half"
            raise OSError

        response = stream_zip(
            RequestFactory().get("/"), [ZipMember("a", failing())], filename="a.zip"
        )
        received = bytearray()
        with pytest.raises(OSError):
            for chunk in response:
                received += chunk
        assert not zipfile.is_zipfile(io.BytesIO(bytes(received)))


# What Django serves to uvicorn in the tests below.
_big: list[Field] = []


def big_view(request: HttpRequest) -> HttpResponseBase:
    return stream_file(
        request, _big[0], filename="big.bin", content_type="application/zip", etag="big"
    )


def zip_view(request: HttpRequest) -> HttpResponseBase:
    pieces = (ZipMember(f"{i}.bin", [bytes(MIB)]) for i in range(300))
    return stream_zip(request, pieces, filename="a.zip")


urlpatterns = [path("big", big_view), path("zip", zip_view)]


class TestUnderAsgi:
    """As uvicorn does it: a piece is taken when the one before is on its way."""

    @pytest.fixture(autouse=True)
    def _views(self, settings: Any) -> None:
        settings.ROOT_URLCONF = __name__
        settings.MIDDLEWARE = []

    @pytest.fixture
    def big(self, tmp_path: Path) -> Iterator[int]:
        size = 300 * MIB
        with (tmp_path / "big.bin").open("wb") as file:
            file.truncate(size)
            file.seek(size - 3)
            file.write(b"end")
        _big.append(Field(FileSystemStorage(tmp_path), "big.bin"))
        yield size
        _big.clear()

    async def test_a_large_file_passes_through_little_memory(self, big: int) -> None:
        before = psutil.Process().memory_info().rss
        client = Client()
        await client.get("/big")
        assert (client.size, client.last[-3:]) == (big, b"end")
        assert client.most_memory - before < 50 * MIB

    async def test_a_part_of_a_large_file(self, big: int) -> None:
        client = Client()
        await client.get("/big", range="bytes=-3")
        assert (client.size, client.last) == (3, b"end")

    async def test_an_archive_is_streamed_too(self) -> None:
        before = psutil.Process().memory_info().rss
        client = Client()
        await client.get("/zip")
        assert client.size > 300 * MIB
        assert client.most_memory - before < 50 * MIB

    async def test_a_client_that_leaves_lets_the_file_go(self, big: int) -> None:
        client = Client(leaves_after=MIB)
        await client.get("/big")
        assert MIB <= client.size < big
        for _ in range(100):
            if not _open_files("big.bin"):
                break
            await asyncio.sleep(0.05)
        assert _open_files("big.bin") == 0


class Client:
    """The other end of an ASGI connection; it counts what it gets and keeps nothing."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.size, self.last, self.most_memory = 0, b"", 0
        self._leaves_after = leaves_after
        self._left = asyncio.Event()
        self._asked = False

    async def get(self, url: str, **headers: str) -> None:
        pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": url, "headers": pairs,
                 "query_string": b"", "http_version": "1.1"}  # fmt: skip
        await asyncio.wait_for(get_asgi_application()(scope, self._receive, self._send), 60)

    async def _receive(self) -> dict[str, Any]:
        if self._asked:
            await self._left.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": b""}

    async def _send(self, message: dict[str, Any]) -> None:
        self.size += len(message.get("body", b""))
        self.last = message.get("body") or self.last
        self.most_memory = max(self.most_memory, psutil.Process().memory_info().rss)
        if self._leaves_after and self.size >= self._leaves_after:
            self._left.set()
            await asyncio.sleep(3600)


def _open_files(name: str) -> int:
    return sum(Path(file.path).name == name for file in psutil.Process().open_files())
