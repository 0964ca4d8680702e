"""`make demo`: the whole main job from nothing, its table, its exit status, and its end."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from samples import demo_settings
from samples.demo import is_success
from tests.ops.portal import ROOT, clean_environment, free_port, that_use, wait_for

#: The demo as it is, with less to learn than it takes to learn anything.
_SMALL = """
import sys
import samples.demo_settings as small

small.IMAGES, small.SIZE, small.UNSEEN = 12, (192, 144), 2
small.TRAINING |= {"epochs": 2, "imgsz": 64, "advanced": {"warmup_epochs": 1, "close_mosaic": 1}}
small.GOOD_MAP50, small.LEAST_FOUND = float(sys.argv[1]), 0
import samples.demo

sys.exit(samples.demo.main())
"""
#: A portal that writes down each signal that it gets, and takes a moment to end.
_FAKE_UP = """
import http.server, pathlib, signal, sys, threading, time

class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

def note(number, _):
    with pathlib.Path(sys.argv[2]).open("a") as file:
        file.write(f"{signal.Signals(number).name}\\n")
    threading.Timer(2.0, server.shutdown).start()

server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready)
signal.alarm(60)
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGTERM, note)
threading.Thread(target=server.serve_forever).start()
"""
_WITH_FAKE_UP = """
import signal, sys
from samples import demo_portal

# What a background shell starts ignores Ctrl-C; one at a terminal does not.
signal.signal(signal.SIGINT, signal.default_int_handler)
port, told, up = sys.argv[1:]
demo_portal.UP = (sys.executable, "-c", up, port, told)
with demo_portal.running_portal(f"http://127.0.0.1:{port}", "-") as portal:
    print("ready", flush=True)
    portal.wait()
"""


def run_demo(home: Path, *, goal: float, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a small demo to its end."""
    environment = clean_environment(home, DEMO_EXIT="1", CVTRAINER_PORT=str(free_port()), **more)
    return subprocess.run(
        [sys.executable, "-c", _SMALL, str(goal)],
        cwd=ROOT,
        env={**environment, "CVTRAINER_WORKERS": "io=1,train=1,detect=1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
def test_does_the_main_job_and_says_whether_it_succeeded(tmp_path: Path) -> None:
    # 0.0.0.0 is no address to connect to: the demo has to find its portal all the same.
    first = run_demo(tmp_path, goal=0.0, CVTRAINER_HOST="0.0.0.0")

    assert first.returncode == 0, first.stdout + first.stderr
    assert list(table_rows(first.stdout)) == [
        *("draw the sample", "import the ZIP", "train from scratch", "evaluate"),
        *("detect on unseen pictures", "total"),
    ]
    assert re.search(
        r"Open http://127\.0\.0\.1:\d+ and sign in as admin, password \S{12}\n", first.stdout
    )
    assert that_use(tmp_path) == []

    second = run_demo(tmp_path, goal=1.01)

    assert second.returncode == 1, second.stdout + second.stderr
    assert "total" in table_rows(second.stdout)
    # The password of the first start holds; a new one that opens nothing is not named.
    assert "the password of its first start.\nA new one: " in second.stdout
    assert "changepassword admin" in second.stdout
    assert that_use(tmp_path) == []


def table_rows(said: str) -> list[str]:
    """Return the first column of the table of steps."""
    lines = said.partition("\nstep ")[2].partition("\n\n")[0].splitlines()[2:]
    return [line.split("  ")[0] for line in lines]


def test_make_demo_sets_up_and_runs_it() -> None:
    command = ["make", "--dry-run", "--no-print-directory", "demo"]
    shown = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert shown[-2].endswith("scripts/setup.py")
    assert shown[-1] == ".venv/bin/python -m samples.demo"


@pytest.mark.parametrize(
    ("map50", "found", "is_good"),
    [(0.0, 5, False), (0.59, 5, False), (0.9, 0, False), (0.6, 1, True)],
)
def test_success_is_to_have_learned_and_to_find_things(
    map50: float, found: int, is_good: bool
) -> None:
    assert (demo_settings.GOOD_MAP50, demo_settings.LEAST_FOUND) == (0.6, 1)
    assert is_success(map50, Counter({"lon bia": found})) is is_good


@pytest.fixture
def demo(tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    """A demo in a process group of its own, as a shell starts it, above a portal that is none."""
    arguments = [str(free_port()), str(tmp_path / "told"), _FAKE_UP]
    process = subprocess.Popen(
        [sys.executable, "-c", _WITH_FAKE_UP, *arguments],
        cwd=ROOT,
        env=clean_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("presses", [1, 2])
def test_each_ctrl_c_is_one_request_to_end(
    demo: "subprocess.Popen[str]", tmp_path: Path, presses: int
) -> None:
    told = tmp_path / "told"
    for press in range(1, presses + 1):
        # A terminal sends it to everybody in the group.
        os.killpg(demo.pid, signal.SIGINT)
        wait_for(lambda press=press: told.exists() and len(words(told)) >= press, seconds=10)

    demo.wait(timeout=20)

    assert words(told) == ["SIGTERM"] * presses
    assert that_use(tmp_path) == []


def test_a_killed_demo_takes_its_portal_with_it(
    demo: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    demo.kill()

    wait_for(lambda: that_use(tmp_path) == [], seconds=10)


def words(path: Path) -> list[str]:
    return path.read_text().split()
