"""Hosts as network namespaces: a hub with a bridge, and others joined to it by cables."""

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from typing import Any, Self

from tests.services.lifeline import die_with_parent

#: The hub's end; hosts count up from it. Private, and seen by nobody outside the namespaces.
HUB = "10.77.0.1"


class Unavailable(Exception):
    """Namespaces cannot be made here; the text says why."""


class Network:
    """A hub and its hosts; everything that runs in them ends with the block."""

    def __init__(self, *hosts: str) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
            raise Unavailable("network namespaces need root, ip and unshare")
        self._mark = uuid.uuid4().hex[:5]
        self._hosts = hosts
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._lay()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            raise Unavailable(str(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, 9)
            program.wait()
        for host in ("hub", *self._hosts):
            subprocess.run(["ip", "netns", "del", self._name(host)], check=False, stderr=-3)

    def run(self, host: str, command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a program on a host, which has a name of its own too."""
        named = f'hostname {host} && exec "$@"'
        program = subprocess.Popen(
            [
                *("ip", "netns", "exec", self._name(host)),
                *("unshare", "--uts", "sh", "-c", named, "sh", *command),
            ],
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  one system call
            **options,
        )
        self._programs.append(program)
        return program

    def cut(self, host: str) -> None:
        """Pull a host's cable: nothing goes through, and nobody is told."""
        _ip("-n", self._name("hub"), "link", "set", self._cable(host), "down")

    def mend(self, host: str) -> None:
        """Plug it in again."""
        _ip("-n", self._name("hub"), "link", "set", self._cable(host), "up")

    def _lay(self) -> None:
        hub = self._name("hub")
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{HUB}/24", "dev", "bridge")
        for device in ("lo", "bridge"):
            _ip("-n", hub, "link", "set", device, "up")
        for number, host in enumerate(self._hosts, start=2):
            self._join(host, f"10.77.0.{number}")

    def _join(self, host: str, address: str) -> None:
        hub, name, cable = self._name("hub"), self._name(host), self._cable(host)
        _ip("netns", "add", name)
        _ip("-n", hub, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("-n", hub, "link", "set", cable, "master", "bridge", "up")
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def _name(self, host: str) -> str:
        return f"cvt-{self._mark}-{host}"

    def _cable(self, host: str) -> str:
        return f"to-{host}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)
