"""No trainer outlives whom it works for: the parts of that, without the heavy libraries."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from tests.training.trainer_driver import ROOT, environment, start_program
from training.trainer_link import accept_one
from training.wire import encode

SECONDS = 20.0


def program(body: str, tmp_path: Path, *arguments: str, **more) -> "subprocess.Popen[bytes]":
    """Start a small program that uses parts of the trainer."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(body), *arguments],
        env=environment(tmp_path),
        cwd=ROOT,
        start_new_session=True,
        **more,
    )


def wait_until(condition) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def group_of(pgid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if fields and fields[0] not in {"Z", "X"} and int(fields[2]) == pgid:
            found.append(int(entry.name))
    return found


LINKED = """
    import os, socket, subprocess, sys, time
    from training.trainer_link import Link
    from training.trainer_process import isolate
    isolate()
    subprocess.Popen(["sleep", "300"])
    if os.fork() == 0:
        if len(sys.argv) > 2:  # one that leaves the group, as some libraries do
            os.setsid()
        time.sleep(300)
    link = Link(socket.socket(fileno=int(sys.argv[1])))
    link.listen()
    link.send({"type": "hello"})
    while True:
        time.sleep(1)
"""


@pytest.fixture
def linked(tmp_path):
    """A program with a connection, a child and a started program; all in its group."""
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        process = program(LINKED, tmp_path, str(number), pass_fds=(number,))
    ours.settimeout(SECONDS)
    assert b"hello" in ours.recv(1000)
    yield ours, process
    ours.close()
    for pid in group_of(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def test_when_the_connection_closes_the_whole_group_dies(linked):
    connection, process = linked
    assert len(group_of(process.pid)) == 3
    began = time.monotonic()
    connection.close()
    assert process.wait(timeout=SECONDS) == -signal.SIGKILL
    assert wait_until(lambda: not group_of(process.pid))
    assert time.monotonic() - began < 2


def test_a_line_outside_the_protocol_ends_it_too(linked):
    connection, process = linked
    connection.sendall(encode({"type": "spec"}) + encode({"type": "run", "command": "rm"}))
    assert process.wait(timeout=SECONDS) == -signal.SIGKILL


def test_when_it_is_killed_its_forked_children_die_and_the_connection_closes(linked):
    connection, process = linked
    forked = [
        pid
        for pid in group_of(process.pid)
        if pid != process.pid and Path(f"/proc/{pid}/comm").read_text().strip() != "sleep"
    ]
    assert len(forked) == 1
    process.kill()
    assert wait_until(lambda: not is_alive(forked[0]))
    while connection.recv(1000):
        pass


def test_a_child_that_left_the_group_dies_with_it_too(tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = theirs.fileno()
        process = program(LINKED, tmp_path, str(number), "leaves", pass_fds=(number,))
        theirs.close()
        ours.settimeout(SECONDS)
        assert b"hello" in ours.recv(1000)
        family = psutil.Process(process.pid).children()

        def left() -> list[int]:
            return [found.pid for found in family if os.getpgid(found.pid) != process.pid]

        assert wait_until(left)  # the fork may not have had its first turn yet
        (child,) = left()
        process.kill()
        process.wait()
        assert wait_until(lambda: not is_alive(child))
        for found in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.kill()


HOLDS = """
    import sys, time
    from pathlib import Path
    from training.trainer_device import hold_device
    hold_device(Path(sys.argv[1]), sys.argv[2], lambda waited: print("waits", waited, flush=True))
    print("has it", flush=True)
    time.sleep(300)
"""


def test_one_gpu_is_held_by_one_trainer_and_passes_on_when_that_is_killed(tmp_path):
    def start(gpu: str) -> "subprocess.Popen[bytes]":
        return program(HOLDS, tmp_path, str(tmp_path), gpu, stdout=subprocess.PIPE)

    first, other = start("GPU-1"), start("GPU-2")
    assert first.stdout.readline() == other.stdout.readline() == b"has it\n"
    second = start("GPU-1")
    try:
        assert second.stdout.readline() == b"waits 0\n"
        first.kill()
        lines = iter(second.stdout.readline, b"has it\n")
        assert all(line.startswith(b"waits") for line in lines)
    finally:
        for process in (first, second, other):
            process.kill()
            process.wait()


def test_a_terminals_ctrl_c_does_not_reach_it(linked):
    connection, process = linked
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGHUP)
    connection.sendall(encode({"type": "spec"}) + encode({"type": "stop"}))
    time.sleep(0.3)
    assert process.poll() is None


def test_it_dies_with_the_process_that_started_it(tmp_path):
    parent = program(
        """
        import subprocess, sys, time
        child = (
            "import time; from training.trainer_process import isolate; isolate();"
            "print('ready', flush=True); time.sleep(300)"
        )
        p = subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
        print(p.pid, flush=True)
        time.sleep(300)
        """,
        tmp_path,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.stdout.readline()
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not is_alive(pid))


def test_it_ends_at_once_when_its_parent_is_another(tmp_path):
    process = program(
        "from training.trainer_process import isolate; isolate(parent=1); print('alive')",
        tmp_path,
        stdout=subprocess.PIPE,
    )
    output, _ = process.communicate(timeout=SECONDS)
    assert (output, process.returncode) == (b"", -signal.SIGKILL)


def test_it_does_not_listen_where_others_may_enter(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(PermissionError):
        accept_one(tmp_path / "spare.sock")
    assert not list(tmp_path.glob("*.sock"))


def test_the_program_reaches_neither_django_nor_torch_before_a_spec(tmp_path):
    code = """
        import sys
        import training.trainer
        print(sorted({name.partition(".")[0] for name in sys.modules} & {
            "django", "torch", "ultralytics", "cv2", "redis", "rest_framework"}))
    """
    process = program(code, tmp_path, stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=SECONDS)
    assert output.strip() == b"[]"


def test_a_trainer_asked_for_nothing_says_how_it_is_used(tmp_path):
    process = start_program([], tmp_path / "config", stderr=subprocess.PIPE)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert b"--listen" in errors


_REACHES_OUT = """
    import os, socket
    from training.trainer_process import isolate

    def opens(family):
        try:
            socket.socket(family).close()
        except PermissionError:
            return False
        return True

    isolate()
    print(opens(socket.AF_UNIX), opens(socket.AF_INET), opens(socket.AF_INET6), flush=True)
    if os.fork() == 0:
        print(opens(socket.AF_UNIX), opens(socket.AF_INET), opens(socket.AF_INET6), flush=True)
        os._exit(0)
    os.wait()
"""


def test_neither_it_nor_what_it_starts_reaches_a_network(tmp_path):
    started = program(_REACHES_OUT, tmp_path, stdout=subprocess.PIPE)
    said, _ = started.communicate(timeout=SECONDS)
    assert said.decode().splitlines() == ["True False False"] * 2
