"""A mail server over a real socket: it takes letters, or does what mail servers do instead."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest


class MailServer(socketserver.ThreadingTCPServer):
    """Takes letters into `letters`.

    Attributes:
        answers: what to say to a command in place of the usual, e.g. {"RCPT": "550 no such user"};
            "CLOSE" closes the connection there.
        logins: user and password of each who signed in, as they came.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.letters: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self.logins: list[str] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Conversation(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.say("220 mail.test")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ", 1)[0].upper()
            answer = self.server.answers.get(verb)
            if answer == "CLOSE":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if answer is not None:
                self.say(answer)
            elif verb == "EHLO":
                self.say("250-mail.test", "250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.logins.append(line)
                self.say("235 welcome")
            elif verb == "DATA":
                self.take()
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def take(self) -> None:
        self.say("354 go ahead")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        letter: Any = message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.letters.append(letter)
        end = self.server.answers.get("END")
        if end == "CLOSE":
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.say(end or "250 taken")

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A mail server, and settings that name it."""
    server = MailServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_FROM = "cvtrainer@shop.example"
    settings.PUBLIC_URL = "https://cv.shop.example"
    yield server
    server.shutdown()
    server.server_close()
