"""Uploads over real sockets: broken off, killed in the middle, and imported in the end."""

import hashlib
import os
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from accounts.models import User
from datasets import arriving
from datasets.models import Import, Upload
from jobs.states import Status
from projects.models import Project
from tests.datasets.importing import fresh, labelled_zip
from tests.datasets.test_tus import BYTES, MIB, metadata
from tests.factories import make_token
from tests.services.programs import Programs, free_port

pytestmark = pytest.mark.django_db(transaction=True)


class Sender:
    """A client of the protocol with a token, over the network."""

    def __init__(self, port: int, user: User, project: Project) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{port}"
        self.project = project
        self.session = requests.Session()
        _, secret = make_token(user, "import", "read")
        self.session.headers.update(
            {"Authorization": f"Bearer {secret}", "Tus-Resumable": "1.0.0", "Connection": "close"}
        )

    def make(self, length: int) -> str:
        """Begin an upload; return its address."""
        headers = {"Upload-Length": str(length), "Upload-Metadata": metadata(self.project.pk)}
        answer = self.session.post(f"{self.base}/api/v1/uploads/", headers=headers, timeout=20)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def offset(self, url: str) -> int:
        """Ask how far it is."""
        return int(self.session.head(url, timeout=20).headers["Upload-Offset"])

    def send(self, url: str, offset: int, body: Any) -> requests.Response:
        """Send all of a body as one piece."""
        headers = {"Upload-Offset": str(offset), "Content-Type": BYTES}
        return self.session.patch(url, data=body, headers=headers, timeout=120)

    def send_part(self, url: str, part: bytes, *, announced: int) -> socket.socket:
        """Send the beginning of a piece; what was announced besides never comes."""
        lines = {
            "Host": f"127.0.0.1:{self.port}",
            **{
                name: str(self.session.headers[name]) for name in ("Authorization", "Tus-Resumable")
            },
            "Upload-Offset": "0",
            "Content-Type": BYTES,
            "Content-Length": str(announced),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection = socket.create_connection(("127.0.0.1", self.port))
        path = re.sub(r"^https?://[^/]+", "", url)
        connection.sendall(f"PATCH {path} HTTP/1.1\r\n{head}\r\n".encode() + part)
        return connection


def wait_until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def part_of(upload: Upload) -> Path:
    return arriving.path_of(upload.pk)


def test_a_piece_that_breaks_off_counts_to_its_last_byte(
    programs: Programs, editor: User, project: Project
) -> None:
    port = free_port()
    programs.web(port)
    sender, content = Sender(port, editor, project), os.urandom(40 * MIB)
    url = sender.make(len(content))
    came = 21 * MIB + 5
    sender.send_part(url, content[:came], announced=len(content)).close()
    wait_until(lambda: sender.offset(url) == came)

    answer = sender.send(url, came, content[came:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(content)))
    assert part_of(Upload.objects.get()).read_bytes() == content


def test_a_kill_in_the_middle_costs_less_than_a_slice(
    programs: Programs, editor: User, project: Project
) -> None:
    port = free_port()
    web = programs.web(port)
    sender, content = Sender(port, editor, project), os.urandom(60 * MIB)
    url = sender.make(len(content))
    connection = sender.send_part(url, content[: 40 * MIB], announced=len(content))
    wait_until(lambda: Upload.objects.get().offset >= 32 * MIB)
    web.kill()
    web.wait()
    connection.close()
    upload = Upload.objects.get()
    assert upload.offset == 32 * MIB <= part_of(upload).stat().st_size
    # As a kill between the write and the count leaves it.
    with part_of(upload).open("ab") as file:
        file.write(b"never counted")

    programs.web(port)
    offset = sender.offset(url)
    assert sender.send(url, offset, content[offset:]).status_code == 204
    digest = hashlib.sha256(part_of(upload).read_bytes())
    assert digest.digest() == hashlib.sha256(content).digest()


def test_two_at_once_never_mix_their_bytes(
    programs: Programs, editor: User, project: Project
) -> None:
    port = free_port()
    programs.web(port)
    sender = Sender(port, editor, project)
    size = 32 * MIB
    url = sender.make(size)
    first = sender.send_part(url, b"a" * (16 * MIB - 1), announced=size)
    answer = sender.send(url, 0, b"b" * size)
    first.sendall(b"a" * (16 * MIB + 1))
    refused = first.recv(1000)
    first.close()
    assert answer.status_code == 204
    assert refused.startswith(b"HTTP/1.1 409")
    assert set(part_of(Upload.objects.get()).read_bytes()) == set(b"b")


def test_an_upload_becomes_a_version(programs: Programs, editor: User, project: Project) -> None:
    port = free_port()
    programs.web(port)
    programs.worker("imports")
    sender, content = Sender(port, editor, project), labelled_zip(8)
    url = sender.make(len(content))
    half = len(content) // 2
    assert sender.send(url, 0, content[:half]).status_code == 204
    assert sender.send(url, half, content[half:]).status_code == 204
    body = {"project": str(project.pk), "upload": url.rsplit("/", 1)[-1], "dataset_name": "Kệ"}
    address = f"{sender.base}/api/v1/imports/"
    key = {"Idempotency-Key": "once"}
    answers = [sender.session.post(address, json=body, headers=key, timeout=20) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    job = Import.objects.get()
    wait_until(lambda: fresh(job).status == Status.SUCCEEDED, 60)
    assert fresh(job).version.images_total == 8
    assert not Upload.objects.exists()
