"""Private files on their way out: streamed with Range and ETag, never whole in memory.

Django's FileResponse knows no ranges and, under ASGI, reads a file whole before it sends it.
"""

import re
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Self

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import content_disposition_header, quote_etag

from storage.ranges import StoredFile, open_range
from storage.zip_stream import ZipMember, zip_chunks

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
#: Whatever the bytes are, no browser runs them, not even in a tab of their own.
_SANDBOX = "default-src 'none'; sandbox"


@dataclass(frozen=True)
class _Span:
    """Bytes of a file: the first, and how many."""

    start: int
    length: int


def stream_file(
    request: HttpRequest,
    file: StoredFile,
    *,
    filename: str,
    content_type: str,
    etag: str,
    inline: bool = False,
    max_age: int = 0,
    immutable: bool = False,
) -> HttpResponseBase:
    """Answer GET or HEAD with a stored file, or with the part of it that was asked for.

    The caller has checked that this user may have it.

    Args:
        request: what asks; Range, If-Range, If-None-Match and If-Match are honoured.
        file: a model's file field.
        filename: under which the browser saves it; any letters.
        content_type: decided by us from the content, never by the user.
        etag: changes when the content does, as its SHA-256 or its id; without quotes.
        inline: shown in the page in place of saved.
        max_age: seconds for which the browser need not ask again.
        immutable: the address will never give other content; not even a reload asks again.

    Raises:
        Http404: the file is not in the storage.
    """
    tag = quote_etag(etag)
    try:
        size = file.storage.size(file.name or "")
    except FileNotFoundError as error:
        raise Http404 from error
    response: HttpResponseBase = get_conditional_response(request, etag=tag) or _answer(
        request, file, size, tag, content_type
    )
    if response.status_code in {200, 206}:
        _describe(response, filename=filename, inline=inline)
    response["ETag"] = tag
    patch_cache_control(response, private=True, max_age=max_age, immutable=immutable)
    return response


def stream_zip(
    request: HttpRequest, members: Iterable[ZipMember], *, filename: str
) -> HttpResponseBase:
    """Answer with a ZIP that is made while it is sent; its length is not known before."""
    response = _streamed(request, zip_chunks(members), "application/zip")
    _describe(response, filename=filename, inline=False)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _answer(
    request: HttpRequest, file: StoredFile, size: int, tag: str, content_type: str
) -> HttpResponseBase:
    asked = _asked_range(request, tag)
    span = _resolve(asked, size) if asked else _Span(0, size)
    if span is None:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    response = _body(request, file, span, content_type)
    response["Content-Length"] = str(span.length)
    response["Accept-Ranges"] = "bytes"
    if asked:
        response.status_code = 206
        last = span.start + span.length - 1
        response["Content-Range"] = f"bytes {span.start}-{last}/{size}"
    return response


def _body(
    request: HttpRequest, file: StoredFile, span: _Span, content_type: str
) -> HttpResponseBase:
    if request.method == "HEAD":
        return HttpResponse(content_type=content_type)
    return _streamed(request, _file_chunks(file, span), content_type)


def _streamed(
    request: HttpRequest, chunks: Generator[bytes], content_type: str
) -> StreamingHttpResponse:
    """Return chunks in the way that the server reads them: Django would collect the wrong one."""
    content = _InThread(chunks) if isinstance(request, ASGIRequest) else chunks
    return StreamingHttpResponse(content, content_type=content_type)


def _file_chunks(file: StoredFile, span: _Span) -> Generator[bytes]:
    stream, left = open_range(file.storage, file.name or "", span.start, span.length), span.length
    try:
        while left and (chunk := stream.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
    finally:
        stream.close()


class _InThread:
    """Chunks that are read in the thread of their request, so that the loop never waits."""

    def __init__(self, chunks: Generator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await sync_to_async(self._next, thread_sensitive=True)()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    def _next(self) -> bytes | None:
        return next(self._chunks, None)

    def close(self) -> None:
        """Called by Django when the response has ended, or its reader has left."""
        self._chunks.close()


def _asked_range(request: HttpRequest, tag: str) -> re.Match[str] | None:
    """Return the one range that is asked for; several, or odd ones, may be answered in full."""
    if request.method != "GET" or request.headers.get("If-Range", tag) != tag:
        return None
    found = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    return found if found and (found[1] or found[2]) and _is_ordered(found) else None


def _is_ordered(found: re.Match[str]) -> bool:
    return not (found[1] and found[2]) or int(found[1]) <= int(found[2])


def _resolve(asked: re.Match[str], size: int) -> _Span | None:
    """Return the bytes that are meant, or nothing where the file has none of them."""
    first, last = asked[1], asked[2]
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    return _Span(start, end - start + 1) if start <= end else None


def _describe(response: HttpResponseBase, *, filename: str, inline: bool) -> None:
    disposition = content_disposition_header(not inline, filename)
    response["Content-Disposition"] = disposition or ("inline" if inline else "attachment")
    response["Content-Security-Policy"] = _SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
