"""Pretrained weights: from the host, from storage, from a real server, and never something else."""

import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import CancelRequested, UserError
from training import pretrained
from training.models import weights_storage

pytestmark = pytest.mark.django_db


def archive(content: bytes = b"tensors") -> bytes:
    """Return a whole ZIP, as a file of weights is one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("model/data.pkl", content)
    return stream.getvalue()


class Server(ThreadingHTTPServer):
    """Serves what it is told, and notes what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, bytes, str]] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, body, location = self.server.answers.get(self.path, (404, b"", ""))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(settings: Any, tmp_path: Path) -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.WEIGHTS_URL = server.address
    settings.WEIGHTS_DIR = str(tmp_path / "weights")
    pretrained.forget_names()
    yield server
    pretrained.forget_names()
    server.shutdown()
    server.server_close()
    for name in ("yolo11s", "yolo11n"):
        weights_storage().delete(f"pretrained/{name}.pt")


def test_the_file_of_the_host_is_taken_as_it_lies(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / "yolo11s.pt"
    file.write_bytes(archive())
    assert pretrained.provide("yolo11s", tmp_path / "start.pt") == file
    assert pretrained.names_here() == {"yolo11s"}
    assert server.asked == []


def test_what_the_net_gives_is_kept_in_storage_and_asked_for_once(
    server: Server, tmp_path: Path
) -> None:
    server.answers["/yolo11s.pt"] = (200, archive(), "")
    for name in ("first", "second"):
        assert pretrained.provide("yolo11s", tmp_path / name).read_bytes() == archive()
    assert server.asked == ["/yolo11s.pt"]
    assert pretrained.names_here() == {"yolo11s"}


class _Away:
    """Storage that does not answer, and counts how often it was asked."""

    asked = 0

    def listdir(self, _path: str) -> Any:
        self.asked += 1
        raise OSError("timed out")


def test_storage_that_is_away_is_not_asked_at_every_pause_in_typing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = _Away()
    monkeypatch.setattr(pretrained, "weights_storage", lambda: away)
    for _ in range(3):
        assert pretrained.names_here() == frozenset()
    assert away.asked == 1


def test_a_redirect_of_the_same_host_is_followed(server: Server, tmp_path: Path) -> None:
    server.answers["/yolo11s.pt"] = (302, b"", "/elsewhere")
    server.answers["/elsewhere"] = (200, archive(), "")
    assert pretrained.provide("yolo11s", tmp_path / "x").read_bytes() == archive()


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"", ""),
        (500, b"", ""),
        (200, b"<html>a page</html>", ""),
        (200, archive()[:-8], ""),
        (302, b"", "http://169.254.169.254/latest"),
        (302, b"", "https://evilgithubusercontent.com/x"),
        (302, b"", "file:///etc/passwd"),
        (302, b"", "/yolo11s.pt"),
    ],
    ids=["gone", "broken", "page", "cut", "inside", "look-alike", "file", "circle"],
)
def test_anything_else_is_no_file_of_weights(
    server: Server, tmp_path: Path, answer: tuple[int, bytes, str]
) -> None:
    server.answers["/yolo11s.pt"] = answer
    with pytest.raises(UserError) as refused:
        pretrained.provide("yolo11s", tmp_path / "x")
    assert refused.value.code == "weights_missing"
    assert not (tmp_path / "x").exists()
    assert pretrained.names_here() == frozenset()


def test_an_official_file_must_be_the_official_one(server: Server, tmp_path: Path) -> None:
    server.answers["/yolo11n.pt"] = (200, archive(b"others"), "")
    with pytest.raises(UserError):
        pretrained.provide("yolo11n", tmp_path / "x")


def test_nobody_is_asked_where_the_net_is_shut(
    server: Server, settings: Any, tmp_path: Path
) -> None:
    settings.WEIGHTS_URL = ""
    with pytest.raises(UserError):
        pretrained.provide("yolo11s", tmp_path / "x")
    assert server.asked == []


def test_a_cancel_ends_the_wait(server: Server, tmp_path: Path) -> None:
    server.answers["/yolo11s.pt"] = (200, archive(), "")

    def cancel() -> None:
        raise CancelRequested

    with pytest.raises(CancelRequested):
        pretrained.provide("yolo11s", tmp_path / "x", check=cancel)
    assert not (tmp_path / "x").exists()
