"""An upload of any size goes through in slices, and counts as far as it came."""

from typing import Any

import pytest

from cvtrainer_site.in_slices import SLICE, InSlices

URL = "/api/v1/uploads/"
PATH = f"{URL}11111111-1111-4111-8111-111111111111"
MIB = 1024 * 1024


class Uploads:
    """Stands for Django: keeps what comes, and answers as the protocol says."""

    def __init__(self, *, refuse_at: int = -1) -> None:
        self.kept = 0
        self.refuse_at = refuse_at
        self.seen: list[tuple[str, str, bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        size, more = 0, True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            size, more = size + len(message["body"]), message["more_body"]
        offset = headers.get(b"upload-offset", b"")
        self.seen.append((scope["method"], scope["path"], offset, headers[b"content-length"]))
        assert size <= SLICE
        status = 201 if scope["method"] == "POST" else 204
        if self.refuse_at == len(self.seen):
            status = 409
        else:
            self.kept += size
        answer = [(b"Upload-Offset", str(self.kept).encode())]
        if status == 201:
            answer.append((b"Location", f"http://localhost{PATH}".encode()))
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": b""})


class Sending:
    """One request with a body in parts, that may break off."""

    def __init__(self, uploads: Any, method: str, path: str, size: int) -> None:
        self.uploads = uploads
        self.size = size
        self.taken = 0
        self.breaks_at = size + 1
        self.answer: list[Any] = []
        self.scope = {"type": "http", "method": method, "path": path, "headers": []}
        self.scope["headers"] = [
            (b"content-length", str(size).encode()),
            (b"content-type", b"application/offset+octet-stream"),
        ]
        if method == "PATCH":
            self.scope["headers"] += [(b"upload-offset", b"0")]  # type: ignore[operator]

    async def run(self) -> None:
        await InSlices(self.uploads)(self.scope, self._receive, self._send)

    async def _receive(self) -> Any:
        if self.taken >= self.breaks_at:
            return {"type": "http.disconnect"}
        part = min(3 * MIB, self.size - self.taken, self.breaks_at - self.taken)
        self.taken += part
        more = self.taken < self.size
        return {"type": "http.request", "body": bytes(part), "more_body": more}

    async def _send(self, message: Any) -> None:
        self.answer.append(message)


def seen(uploads: Uploads) -> list[tuple[str, int, int]]:
    return [(method, int(at or 0), int(length)) for method, _, at, length in uploads.seen]


def said(sending: Sending) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in sending.answer[0]["headers"]}


async def test_a_large_piece_is_many() -> None:
    uploads, size = Uploads(), 40 * MIB
    sending = Sending(uploads, "PATCH", PATH, size)
    await sending.run()
    assert seen(uploads) == [
        ("PATCH", 0, size),
        ("PATCH", SLICE, size - SLICE),
        ("PATCH", 2 * SLICE, size - 2 * SLICE),
    ]
    assert [message["type"] for message in sending.answer] == [
        "http.response.start",
        "http.response.body",
    ]
    assert sending.answer[0]["status"] == 204
    assert said(sending)[b"upload-offset"] == str(size).encode()


@pytest.mark.parametrize("size", [0, 1, SLICE])
async def test_a_small_piece_is_one(size: int) -> None:
    uploads = Uploads()
    sending = Sending(uploads, "PATCH", PATH, size)
    await sending.run()
    assert seen(uploads) == [("PATCH", 0, size)]
    assert uploads.kept == size


async def test_a_piece_of_unknown_length_ends_where_it_ends() -> None:
    uploads, size = Uploads(), 20 * MIB
    sending = Sending(uploads, "PATCH", PATH, size)
    sending.scope["headers"][0] = (b"content-length", b"")  # type: ignore[index]
    uploads_seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        uploads_seen.append(dict(scope["headers"]).get(b"content-length"))
        await uploads(scope, receive, send)

    await InSlices(application)(sending.scope, sending._receive, sending._send)
    assert uploads.kept == size
    assert uploads_seen == [b"", b""]


async def test_bytes_that_come_with_the_beginning_go_on_at_its_location() -> None:
    uploads, size = Uploads(), 20 * MIB
    sending = Sending(uploads, "POST", URL, size)
    await sending.run()
    assert [row[:2] for row in uploads.seen] == [("POST", URL), ("PATCH", PATH)]
    headers = said(sending)
    assert sending.answer[0]["status"] == 201
    assert headers[b"upload-offset"] == str(size).encode()
    assert headers[b"location"].endswith(PATH.encode())


async def test_where_a_later_slice_fails_the_beginning_says_how_far_it_is() -> None:
    sending = Sending(Uploads(refuse_at=2), "POST", URL, 40 * MIB)
    await sending.run()
    assert sending.answer[0]["status"] == 201
    assert said(sending)[b"upload-offset"] == str(SLICE).encode()


@pytest.mark.parametrize("slices", [1, 2])
async def test_a_refusal_ends_it(slices: int) -> None:
    sending = Sending(Uploads(refuse_at=slices), "PATCH", PATH, 400 * MIB)
    await sending.run()
    assert sending.answer[0]["status"] == 409
    assert sending.taken <= slices * SLICE + 3 * MIB


@pytest.mark.parametrize("came", [0, 5 * MIB, SLICE, SLICE + 1])
async def test_a_broken_connection_keeps_what_came(came: int) -> None:
    uploads = Uploads()
    sending = Sending(uploads, "PATCH", PATH, 40 * MIB)
    sending.breaks_at = came
    await sending.run()
    assert uploads.kept == came
    assert sending.answer == []


@pytest.mark.parametrize(
    ("method", "path"), [("GET", PATH), ("POST", "/api/v1/imports/"), ("PATCH", "/api/v1/models/")]
)
async def test_all_else_goes_through_as_it_is(method: str, path: str) -> None:
    got = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        got.append((scope, receive, send))

    scope = {"type": "http", "method": method, "path": path, "headers": []}
    receive, send = object(), object()
    await InSlices(application)(scope, receive, send)
    assert got == [(scope, receive, send)]
