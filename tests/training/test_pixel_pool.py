"""Pixels are made in processes of their own, and are those that the training library would make."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from tests.training.prepared import photo
from training.pixel_pool import PictureFailed, PixelPool
from training.pixels import Form, plain_length


@pytest.fixture(scope="module")
def pool() -> Iterator[PixelPool]:
    with PixelPool(2) as opened:
        yield opened


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "pixel_worker" in " ".join(one.cmdline())]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_large_picture_is_shrunk_as_the_library_does_it(pool: PixelPool, kind: str) -> None:
    data = photo((333, 250), kind=kind)
    made = pool.make(data, original=(250, 333), size=96, form=Form.PLAIN)
    wanted = cv2.resize(decoded(data), (96, 73), interpolation=cv2.INTER_LINEAR)
    assert made == wanted.tobytes()


def test_a_small_picture_stays_as_it_is(pool: PixelPool) -> None:
    data = photo((80, 60))
    made = pool.make(data, original=(60, 80), size=96, form=Form.PLAIN)
    assert made == decoded(data).tobytes()
    assert pool.make(data, original=(60, 80), size=96, form=Form.JPEG) == data


def test_as_jpeg_it_takes_a_part_of_the_space_and_looks_the_same(pool: PixelPool) -> None:
    data = photo((1600, 1200))
    plain = pool.make(data, original=(1200, 1600), size=640, form=Form.PLAIN)
    coded = pool.make(data, original=(1200, 1600), size=640, form=Form.JPEG)
    pixels = np.frombuffer(plain, np.uint8).reshape(480, 640, 3)
    assert cv2.PSNR(pixels, decoded(coded)) > 40
    assert len(coded) < 0.3 * plain_length((480, 640))


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", photo()[:40], photo((64, 64))],
    ids=["empty", "text", "cut", "other"],
)
def test_what_is_not_the_picture_is_refused_and_the_next_is_made(
    pool: PixelPool, data: bytes
) -> None:
    with pytest.raises(PictureFailed):
        pool.make(data, original=(240, 320), size=96, form=Form.PLAIN)
    assert pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)


def test_a_killed_process_costs_nothing(pool: PixelPool) -> None:
    pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)
    for child in children():
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with ThreadPoolExecutor(4) as threads:
        made = list(
            threads.map(
                lambda _: pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN),
                range(8),
            )
        )
    assert len(set(made)) == 1


def test_a_process_that_brings_itself_down_twice_ends_only_its_picture() -> None:
    with (
        PixelPool(1, command=(sys.executable, "-c", "import os; os.abort()")) as pool,
        pytest.raises(PictureFailed),
    ):
        pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)


def test_one_that_never_answers_is_ended_with_the_pool(tmp_path: Path) -> None:
    mark = tmp_path / "started"
    silent = f"import time; open({str(mark)!r}, 'w').close(); time.sleep(600)"
    failed = threading.Event()

    def ask() -> None:
        try:
            pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)
        except PictureFailed:
            failed.set()

    pool = PixelPool(1, command=(sys.executable, "-c", silent))
    thread = threading.Thread(target=ask)
    thread.start()
    while not mark.exists():
        time.sleep(0.02)
    pool.close()
    thread.join(10)
    assert failed.is_set()
    assert not [one for one in psutil.Process().children() if silent in one.cmdline()]


def test_it_ends_when_nobody_is_there_any_more(pool: PixelPool) -> None:
    pool.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)
    one, *_ = children()
    process = next(p for p in pool._all if p._child and p._child.pid == one.pid)
    assert process._stream
    process._stream.shutdown(socket.SHUT_RDWR)
    one.wait(10)


def test_it_may_write_no_file_and_sees_no_secret(
    monkeypatch: pytest.MonkeyPatch, pool: PixelPool
) -> None:
    monkeypatch.setenv("SECRET_KEY", "of-the-portal")
    with PixelPool(1) as own:
        before = {child.pid for child in children()}
        own.make(photo(), original=(240, 320), size=96, form=Form.PLAIN)
        (child,) = [one for one in children() if one.pid not in before]
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert "SECRET_KEY" not in child.environ()
