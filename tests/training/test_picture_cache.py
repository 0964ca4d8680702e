"""The cache of prepared pictures: shared by workers that may be killed, full, or damaged."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.training.prepared import content, digest
from training import picture_cache
from training.picture_cache import Key, PictureCache
from training.pixels import Form, check_file

ROOT = Path(__file__).resolve().parents[2]
LENGTH = 3000
SIZE = LENGTH + 128


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(root: Path) -> PictureCache:
    return opened(root, 10)


def opened(root: Path, pictures: int) -> PictureCache:
    """Return a cache for so many pictures, with all its room."""
    found = PictureCache(root, pictures * SIZE)
    found.make_room(0)
    return found


def key(name: str, form: Form = Form.PLAIN) -> Key:
    return Key(digest(name), 640, form)


def make(name: str) -> Callable[[], list[bytes]]:
    return lambda: content(name, LENGTH)


def never() -> list[bytes]:
    raise AssertionError("it is there already")


def nothing() -> None:
    """Nobody wants it ended."""


def provide(cache: PictureCache, name: str, target: Path) -> bool:
    return cache.provide(key(name), target, make(name), nothing)


def entries(root: Path) -> set[str]:
    return {path.stem for path in root.glob("[!.]*/??/*")}


def names(*wanted: str) -> set[str]:
    return {digest(name) for name in wanted}


class TestWhatIsThere:
    def test_is_made_once_and_linked_from_then_on(
        self, cache: PictureCache, root: Path, tmp_path: Path
    ) -> None:
        assert provide(cache, "a", tmp_path / "1")
        assert not PictureCache(root, 0).provide(key("a"), tmp_path / "2", never, nothing)
        assert (tmp_path / "1").samefile(tmp_path / "2")
        assert (tmp_path / "1").stat().st_mode & 0o777 == 0o400
        check_file(tmp_path / "1", digest("a"))

    def test_is_of_one_form_and_size(self, cache: PictureCache, tmp_path: Path) -> None:
        provide(cache, "a", tmp_path / "1")
        for other in (
            Key(digest("a"), 320, Form.PLAIN),
            Key(digest("a"), 0, Form.PLAIN),
            Key(digest("a"), 640, Form.JPEG),
        ):
            assert cache.provide(other, tmp_path / "2", make("a"), nothing)

    @pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "another"])
    def test_is_made_anew_where_it_is_damaged(
        self, cache: PictureCache, root: Path, tmp_path: Path, damage: str
    ) -> None:
        provide(cache, "a", tmp_path / "1")
        path = root / key("a").path
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        wrong = {"flipped": bytes(data), "cut": bytes(data[:500]), "empty": b""}
        path.chmod(0o600)
        path.write_bytes(wrong.get(damage) or b"".join(content("b", LENGTH)))

        assert provide(cache, "a", tmp_path / "2")
        check_file(tmp_path / "2", digest("a"))
        check_file(path, digest("a"))

    def test_stays_a_runs_own_where_it_is_removed(
        self, cache: PictureCache, root: Path, tmp_path: Path
    ) -> None:
        provide(cache, "a", tmp_path / "1")
        shutil.rmtree(root)
        check_file(tmp_path / "1", digest("a"))
        assert provide(cache, "a", tmp_path / "2")

    def test_is_copied_to_another_disk(self, cache: PictureCache, root: Path) -> None:
        target = Path("/dev/shm", f"cvt-test-{os.getpid()}")
        if target.parent.stat().st_dev == root.stat().st_dev:
            pytest.skip("/dev/shm is on the same disk")
        try:
            provide(cache, "a", target)
            assert not provide(cache, "a", target)
            check_file(target, digest("a"))
            assert (root / key("a").path).stat().st_nlink == 1
        finally:
            target.unlink(missing_ok=True)


class TestRoom:
    def fill(self, cache: PictureCache, folder: Path, *wanted: str) -> None:
        """Provide pictures to a run that is over at once."""
        for name in wanted:
            provide(cache, name, folder / "picture")
            time.sleep(0.002)  # the clock of files is coarse
        (folder / "picture").unlink()

    def test_goes_to_what_was_used_last(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 3)
        self.fill(cache, tmp_path, "a", "b", "c", "a")
        cache.make_room(SIZE)
        assert entries(root) == names("a", "c")
        self.fill(cache, tmp_path, "d")
        assert entries(root) == names("a", "c", "d")
        assert cache.size() <= 3 * SIZE

    def test_is_never_taken_from_a_run(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 3)
        provide(cache, "a", tmp_path / "used")
        self.fill(cache, tmp_path, "b", "c")
        cache.make_room(3 * SIZE)
        assert entries(root) == names("a")

    def test_is_not_taken_from_what_was_just_asked_for(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 3)
        self.fill(cache, tmp_path, "a", "b", "c")
        for name in "abc":
            os.utime(root / key(name).path, (0, 1000))
        began = time.time() - 1
        assert cache.touch(key("a"))
        assert not cache.touch(key("d"))
        cache.make_room(100 * SIZE, before=began)
        assert entries(root) == names("a")

    def test_that_is_not_there_keeps_nothing_from_a_run(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 2)
        for name in "abcde":
            assert provide(cache, name, tmp_path / name)
        assert entries(root) == names("a", "b")
        for name in "abcde":
            check_file(tmp_path / name, digest(name))

    def test_of_nothing_keeps_nothing(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 0)
        assert provide(cache, "a", tmp_path / "1")
        assert not entries(root)
        assert cache.suits(SIZE)

    def test_is_left_to_others_on_the_disk(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache = opened(root, 10)
        self.fill(cache, tmp_path, "a", "b", "c")
        monkeypatch.setattr(picture_cache.PictureCache, "free_space", lambda _: -SIZE)
        assert not cache.suits(3 * SIZE)
        assert cache.suits(2 * SIZE)
        cache.make_room(SIZE)
        assert entries(root) == names("c")

    def test_is_below_the_limit_or_the_run_does_not_suit(self, root: Path) -> None:
        assert PictureCache(root, 10).suits(10)
        assert not PictureCache(root, 10).suits(11)

    def test_of_other_recipes_is_found(self, root: Path, tmp_path: Path) -> None:
        cache = opened(root, 3)
        self.fill(cache, tmp_path, "a")
        (root / key("a").path.parts[0]).rename(root / "0-plain-640")
        cache.make_room(3 * SIZE)
        assert not entries(root)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_takes_what_nobody_uses_and_then_says_so(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_cache, "_LEAST_FREE", 0)
    cache = opened(small_disk / "cache", 1000)
    idle, run = small_disk / "idle", small_disk / "run"
    run.mkdir()
    for number in range(8):
        provide(cache, f"idle {number}", idle)
    idle.unlink()
    with pytest.raises(OSError) as full:
        for number in range(20):
            provide(cache, f"used {number}", run / str(number))
    assert full.value.errno == errno.ENOSPC
    assert not entries(small_disk / "cache") & names(*(f"idle {n}" for n in range(8)))
    assert len(list(run.iterdir())) > 8
    assert not list((small_disk / "cache/.parts").iterdir())


_WORKER = """
import sys, time
from pathlib import Path
from tests.training.test_picture_cache import *
root, target = map(Path, sys.argv[1:3])
count, pause = int(sys.argv[3]), float(sys.argv[4])
cache, made = opened(root, 1000), 0
def slowly(name):
    time.sleep(pause)
    return content(name, LENGTH)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    name = f"picture {number}"
    made += cache.provide(key(name), target / name, lambda: slowly(name), nothing)
print(made, flush=True)
"""


def start_worker(root: Path, target: Path, count: int, pause: float) -> "subprocess.Popen[str]":
    """Start another process that wants these pictures; it waits for a line."""
    target.mkdir()
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(root), str(target), str(count), str(pause)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout
    assert worker.stdout.readline() == "ready\n"
    return worker


class TestSeveralProcesses:
    def test_make_each_picture_once_between_them(self, root: Path, tmp_path: Path) -> None:
        workers = [start_worker(root, tmp_path / name, 30, 0.02) for name in "ab"]
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("\n")
            worker.stdin.flush()
        made = [int(worker.communicate(timeout=60)[0]) for worker in workers]
        assert sum(made) == 30
        for number in range(30):
            name = f"picture {number}"
            check_file(tmp_path / "a" / name, digest(name))
            assert (tmp_path / "a" / name).samefile(tmp_path / "b" / name)

    def test_one_that_is_killed_leaves_whole_pictures_and_no_lock(
        self, root: Path, tmp_path: Path
    ) -> None:
        for attempt in range(3):
            worker = start_worker(root, tmp_path / str(attempt), 1000, 0.0)
            assert worker.stdin
            worker.stdin.write("\n")
            worker.stdin.flush()
            time.sleep(0.05)
            worker.send_signal(signal.SIGKILL)
            worker.communicate(timeout=10)
        for path in root.glob("[!.]*/??/*"):
            check_file(path, path.stem)
        assert entries(root)
        began = time.monotonic()
        cache = opened(root, 1000)
        for number in range(50):
            provide(cache, f"picture {number}", tmp_path / "mine")
        assert time.monotonic() - began < 10

    def test_one_that_holds_a_lock_for_ever_is_not_waited_for(
        self, cache: PictureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(picture_cache, "_LOCK_SECONDS", 0.2)
        with cache._made_once(key("a"), nothing):
            assert provide(cache, "a", tmp_path / "1")

    def test_who_waits_can_be_ended(self, cache: PictureCache, tmp_path: Path) -> None:
        class EndedError(Exception):
            pass

        def check() -> None:
            raise EndedError

        with cache._made_once(key("a"), nothing), pytest.raises(EndedError):
            cache.provide(key("a"), tmp_path / "1", make("a"), check)


def test_what_was_half_written_is_swept_when_it_is_old(cache: PictureCache, root: Path) -> None:
    old, new = root / ".parts/old", root / ".parts/new"
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, time.time() - 3700))
    cache.sweep()
    assert list(old.parent.iterdir()) == [new]


def test_room_is_made_while_others_take(root: Path, tmp_path: Path) -> None:
    """What a thread was given is whole, whatever another removes at that moment."""
    done = threading.Event()

    def clear() -> int:
        count, own = 0, PictureCache(root, 0)
        while not done.is_set():
            own.make_room(0)
            count += 1
        return count

    def use(worker: int) -> None:
        for number in range(200):
            target = tmp_path / f"{worker}-{number}"
            provide(opened(root, 1000), f"{number % 7}", target)
            check_file(target, digest(f"{number % 7}"))
            target.unlink()

    with ThreadPoolExecutor(4) as threads:
        clearing = threads.submit(clear)
        users = [threads.submit(use, worker) for worker in range(3)]
        try:
            for user in users:
                user.result(60)
        finally:
            done.set()
    assert clearing.result() > 3
