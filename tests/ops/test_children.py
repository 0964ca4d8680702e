"""A program of the portal: how it ends, how it starts again, and who is left when it forked."""

import asyncio
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from cvtrainer_site.supervisor import child as child_module
from cvtrainer_site.supervisor.child import Child
from cvtrainer_site.supervisor.plan import Program, gpu_environment, gpus
from tests.ops.portal import ROOT
from tests.training.fleet import K80, T4, driver

# Says when it is asked to end, and goes on.
_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print("started", flush=True)
while True: time.sleep(0.05)
"""


def program(code: str, *, patience: float = 0.3, polite_requests: int = 1) -> Program:
    return Program("it", (sys.executable, "-c", code), {}, patience, polite_requests)


async def until(path: Path, text: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while not path.exists() or path.read_text().count(text) < times:
            await asyncio.sleep(0.02)


async def test_asks_twice_and_then_kills(tmp_path: Path) -> None:
    child = Child(program(_STUBBORN, polite_requests=2), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "started")
    pid = child.pid
    await child.stop(asyncio.Event())
    assert (tmp_path / "it.log").read_text().split() == ["started", "asked", "asked"]
    assert not psutil.pid_exists(pid or 0)
    assert child.pid is None


async def test_hurries_where_the_person_asks_again(tmp_path: Path) -> None:
    child = Child(program(_STUBBORN, patience=60), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "started")
    hurry, began = asyncio.Event(), time.monotonic()
    stopping = asyncio.create_task(child.stop(hurry))
    await until(tmp_path / "it.log", "asked")
    hurry.set()
    await stopping
    assert time.monotonic() - began < 10


async def test_starts_again_with_longer_and_longer_pauses(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(child_module, "_FIRST_PAUSE", 0.05)
    code = "import time; print(time.monotonic())"
    child = Child(program(code), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "\n", times=5)
    await child.stop(asyncio.Event())
    at = [float(line) for line in (tmp_path / "it.log").read_text().split()]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses[3] > pauses[0] + 0.2  # 0.05, 0.1, 0.2, 0.4 seconds
    assert child.falls >= 4


async def test_does_not_start_again_what_is_to_end(tmp_path: Path) -> None:
    child = Child(program("print('once')"), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "once")
    await child.stop(asyncio.Event())
    assert (tmp_path / "it.log").read_text() == "once\n"


async def test_takes_the_session_of_a_fallen_program_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    child = Child(program(code), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "\n")
    grandchild = psutil.Process(int((tmp_path / "it.log").read_text()))
    psutil.Process(child.pid).kill()
    async with asyncio.timeout(10):
        while grandchild.is_running() and grandchild.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.02)
    await child.stop(asyncio.Event())


async def test_does_not_wait_for_who_left_the_session_with_the_pipe(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        "start_new_session=True); print(p.pid, flush=True)"
    )
    child = Child(program(code), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "\n", times=2)  # it was started a second time
    await child.stop(asyncio.Event())
    for pid in (tmp_path / "it.log").read_text().split():
        psutil.Process(int(pid)).kill()


async def test_tells_that_a_program_is_missing(tmp_path: Path) -> None:
    child = Child(Program("it", ("/nowhere/program",)), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "cannot start /nowhere/program", times=2)
    await child.stop(asyncio.Event())


async def test_cuts_a_line_that_never_ends_and_keeps_other_bytes(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(b'x' * 100_000 + b'\\xff\\nend\\n')"
    child = Child(program(code), log_folder=tmp_path)
    child.start()
    await until(tmp_path / "it.log", "end\n")
    await child.stop(asyncio.Event())
    lines = (tmp_path / "it.log").read_text().splitlines()
    assert sum(line.count("x") for line in lines) == 100_000
    assert "�" in lines[-2]


def test_sweeps_what_left_its_session_and_lost_its_parent() -> None:
    # In a process of its own, as the supervisor is: the tests' runner must adopt nobody.
    code = """
import asyncio, subprocess, sys
from cvtrainer_site.supervisor import linux
from cvtrainer_site.supervisor.orphans import sweep
linux.adopt_orphans()
fork = "import os, time\\nif os.fork() == 0:\\n os.setsid(); print(os.getpid(), flush=True);"
fork += "os.close(1); time.sleep(600)"
pid = int(subprocess.run([sys.executable, "-c", fork], stdout=subprocess.PIPE, check=True).stdout)
assert pid in linux.children(), "not adopted"
asyncio.run(sweep())
assert linux.children() == {}
print("swept")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "swept\n", done.stderr


def test_names_gpus_by_what_driver_and_cuda_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{driver(tmp_path / 'bin', T4, K80)}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus() == [T4["uuid"], K80["uuid"]]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpus() == ["1"]


def test_spreads_gpu_work_over_the_gpus() -> None:
    seen = [gpu_environment("train", number, 3, ["0", "1"]) for number in (1, 2, 3)]
    assert [env["CUDA_VISIBLE_DEVICES"] for env in seen] == ["0", "1", "0"]
    assert gpu_environment("train", 1, 1, ["0", "1"]) == {}  # alone: it may use what it finds
    assert gpu_environment("io", 1, 2, ["0"]) == {}
    assert gpu_environment("train", 1, 2, []) == {}
