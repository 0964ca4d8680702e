"""Custom Vision's training API and its blob storage, as far as an import sees them.

The server keeps a project in memory and answers the real SDK on 127.0.0.1. Faults are put into
`Emulator.faults`: a function looks at each request first and may answer it.
"""

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

KEY = "CANARY-0123456789abcdef-training"
#: Stands beside it in Azure, and opens no project.
PREDICTION_KEY = "CANARY-0123456789abcdef-prediction"
DETECTION_DOMAIN = "da2e3a8a-40a5-4171-82f4-58522f70fbc1"
CLASSIFICATION_DOMAIN = "ee85a74c-405e-4adc-bb47-ffa8ca0c9f31"
_ROOT = "/customvision/v3.4-preview/training/"
_BLOBS = "/blobs/"


@dataclass
class Answer:
    """What the server sends instead of what it would."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Bytes after which the connection breaks.
    cut_at: int | None = None


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def is_of_api(self) -> bool:
        """Whether it counts for the rate of the API."""
        return self.path.startswith(_ROOT)

    @property
    def picture(self) -> str:
        """The id of the picture that is fetched, from its storage or through the API."""
        path = self.query.get("path", "") if self.path.endswith("/artifacts") else self.path
        found = path.partition("?")[0]
        return found.removeprefix(_BLOBS) if found.startswith(_BLOBS) else ""


#: Returns what to answer, or nothing to let the server do so.
Fault = Callable[[Asked], Answer | None]


@dataclass
class RemotePicture:
    """A picture of the project."""

    id: str
    content: bytes
    width: int
    height: int
    regions: list[dict[str, Any]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


class Emulator:
    """One project on one server; start it as a context manager."""

    def __init__(self, *, latency: float = 0.0, domain: str = DETECTION_DOMAIN) -> None:
        """Make an empty project.

        Args:
            latency: seconds before each answer.
            domain: of detection, or of classification.
        """
        self.project, self.domain, self.latency = str(uuid.uuid4()), domain, latency
        self.name = "Kệ bia Tết"
        self.tags: dict[str, dict[str, Any]] = {}
        self._pictures: dict[str, RemotePicture] = {}
        #: Tagged and untagged ones, until something changes.
        self._kinds: tuple[list[RemotePicture], list[RemotePicture]] | None = None
        self.iterations: list[dict[str, Any]] = []
        self.performance: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        #: Links carry this; one with an older signature has expired.
        self.signature = 1
        self.relative_links = False
        #: Pictures that are fetched at this moment, and the most that ever were at once.
        self._at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.emulator = self

    @property
    def endpoint(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def pictures(self) -> list[RemotePicture]:
        """All pictures, the oldest first."""
        return list(self._pictures.values())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_tag(self, name: str, kind: str = "Regular") -> str:
        """Add a tag; return its id."""
        tag_id = str(uuid.uuid4())
        self.tags[tag_id] = {"id": tag_id, "name": name, "type": kind, "description": None}
        return tag_id

    def add_picture(
        self,
        content: bytes,
        size: tuple[int, int],
        boxes: list[tuple[str, float, float, float, float]] | None = None,
        tags: list[str] | None = None,
    ) -> RemotePicture:
        """Add a picture; boxes are (tag id, left, top, width, height) in shares."""
        regions = [
            {
                "regionId": str(uuid.uuid4()),
                "tagId": tag,
                "tagName": None,
                "left": left,
                "top": top,
                "width": width,
                "height": height,
            }
            for tag, left, top, width, height in boxes or []
        ]
        named = sorted({region["tagId"] for region in regions} | set(tags or []))
        picture = RemotePicture(str(uuid.uuid4()), content, *size, regions, named)
        self._pictures[picture.id] = picture
        self._kinds = None
        return picture

    def remove(self, *ids: str) -> None:
        """Remove pictures: those behind them move forward."""
        for picture_id in ids:
            del self._pictures[picture_id]
        self._kinds = None

    def tag(self, picture_id: str, *tags: str) -> None:
        """Give a picture these tags and no others; without one it is untagged, and its boxes go."""
        picture = self._pictures[picture_id]
        picture.tags = list(tags)
        picture.regions = [row for row in picture.regions if row["tagId"] in tags]
        self._kinds = None

    def publish(self, name: str, per_tag: list[dict[str, Any]]) -> None:
        """Publish an iteration with its performance."""
        iteration_id = str(uuid.uuid4())
        self.iterations.append(
            {
                "id": iteration_id,
                "name": f"Iteration {len(self.iterations) + 1}",
                "publishName": name,
                "trainedAt": "2026-05-01T08:00:00.000Z",
                "status": "Completed",
            }
        )
        self.performance[iteration_id] = {
            "perTagPerformance": per_tag,
            "precision": 0.91,
            "recall": 0.84,
            "averagePrecision": 0.88,
        }

    def fetched(self) -> "Counter[str]":
        """Return how often each picture was fetched."""
        found = (asked.picture for asked in list(self.asked))
        return Counter(name for name in found if name in self._pictures)

    def listed(self) -> int:
        """Return how many pages of pictures were asked for."""
        return sum("skip" in asked.query for asked in list(self.asked))

    @contextmanager
    def counted(self, asked: Asked) -> Iterator[None]:
        """Count a picture while it is fetched."""
        weight = 1 if asked.picture else 0
        with self._lock:
            self._at_once += weight
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            yield
        finally:
            with self._lock:
                self._at_once -= weight

    def answer(self, asked: Asked) -> Answer:
        """Return what the server says."""
        with self._lock:
            self.asked.append(asked)
            faults = list(self.faults)
        for fault in faults:
            if (found := fault(asked)) is not None:
                return found
        if asked.path.startswith(_BLOBS):
            return self._blob(asked.picture, asked.query.get("sig", ""))
        if asked.headers.get("training-key") != KEY:
            return _problem(401, "Access denied due to invalid subscription key")
        if asked.path.startswith(f"{_ROOT}domains/"):
            kind = "ObjectDetection" if self.domain == DETECTION_DOMAIN else "Classification"
            return _json({"id": self.domain, "name": "Products on Shelves", "type": kind})
        start = f"{_ROOT}projects/{self.project}"
        if not asked.path.startswith(start):
            return _problem(404, "Invalid project id", "NotFoundProject")
        return self._of_project(asked, asked.path.removeprefix(start))

    def _of_project(self, asked: Asked, path: str) -> Answer:
        tagged, untagged = self._by_kind()
        answers: dict[str, Callable[[], Any]] = {
            "": lambda: {
                "id": self.project,
                "name": self.name,
                "settings": {"domainId": self.domain, "useNegativeSet": True},
            },
            "/tags": lambda: [
                {**tag, "imageCount": sum(tag["id"] in picture.tags for picture in tagged)}
                for tag in self.tags.values()
            ],
            "/images/tagged/count": lambda: len(tagged),
            "/images/untagged/count": lambda: len(untagged),
            "/images/tagged": lambda: self._page(tagged, asked),
            "/images/untagged": lambda: self._page(untagged, asked),
            "/images/id": lambda: self._by_ids(asked),
            "/iterations": lambda: self.iterations,
        }
        if path in answers:
            return _json(answers[path]())
        if path == "/artifacts":
            return self._blob(asked.picture, asked.query["path"].partition("?sig=")[2])
        parts = path.split("/")
        if parts[1:2] == ["iterations"] and parts[3:] == ["performance"]:
            return _json(self.performance[parts[2]])
        return _problem(404, "no such operation")

    def _by_kind(self) -> tuple[list[RemotePicture], list[RemotePicture]]:
        if (kinds := self._kinds) is None:
            pictures = self.pictures
            kinds = [p for p in pictures if p.tags], [p for p in pictures if not p.tags]
            self._kinds = kinds
        return kinds

    def _page(self, pictures: list[RemotePicture], asked: Asked) -> list[dict[str, Any]]:
        take, skip = int(asked.query.get("take", 50)), int(asked.query.get("skip", 0))
        if take > 256:
            raise ValueError("take is at most 256")
        if asked.query.get("orderBy") != "Oldest":
            pictures = pictures[::-1]
        return [self._shown(picture) for picture in pictures[skip : skip + take]]

    def _by_ids(self, asked: Asked) -> list[dict[str, Any]]:
        wanted = asked.query.get("imageIds", "").split(",")
        return [self._shown(self._pictures[name]) for name in wanted if name in self._pictures]

    def _shown(self, picture: RemotePicture) -> dict[str, Any]:
        link = f"{_BLOBS}{picture.id}?sig={self.signature}"
        return {
            "id": picture.id,
            "created": "2026-01-01T00:00:00.000Z",
            "width": picture.width,
            "height": picture.height,
            "originalImageUri": link if self.relative_links else self.endpoint + link,
            "resizedImageUri": f"{self.endpoint}/resized",
            "tags": [{"tagId": tag, "tagName": None} for tag in picture.tags] or None,
            "regions": picture.regions or None,
        }

    def _blob(self, name: str, signature: str) -> Answer:
        found = self._pictures.get(name)
        if found is None:
            return Answer(404)
        if signature != str(self.signature):
            return Answer(403, b"<Error><Code>AuthenticationFailed</Code></Error>")
        return Answer(200, found.content, {"Content-Type": "application/octet-stream"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    emulator: Emulator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Headers and body leave in two writes; together with delayed ACKs that would cost 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer one request."""
        server = self.server
        assert isinstance(server, _Server)
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        emulator, asked = server.emulator, Asked(url.path, query, headers)
        with emulator.counted(asked), suppress(BrokenPipeError, ConnectionResetError):
            time.sleep(emulator.latency)
            self._send(emulator.answer(asked))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: answer.cut_at])
        if answer.cut_at is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _problem(status: int, message: str, code: str = "BadRequest") -> Answer:
    body = json.dumps({"code": code, "message": message}).encode()
    return Answer(status, body, {"Content-Type": "application/json"})
