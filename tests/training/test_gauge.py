"""What a training takes of its machine: a driver that is not here, and a processor that is."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.gauge import Gauge, Processor, first_gpu, read_gpu

Driver = Callable[[str], Path]


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Put a driver's tool first on the path that runs these lines; it notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    calls = tmp_path / "calls"

    def install(lines: str) -> Path:
        program = folder / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{lines}\n')
        program.chmod(0o755)
        return calls

    return install


class TestAGpu:
    def test_tells_use_memory_temperature_and_power(self, driver: Driver) -> None:
        calls = driver("echo '87, 15203, 81559, 63, 312.44'")
        assert read_gpu("GPU-1") == {
            "gpu_use": 87.0,
            "gpu_memory_used_mb": 15203.0,
            "gpu_memory_total_mb": 81559.0,
            "gpu_temperature": 63.0,
            "gpu_power": 312.44,
        }
        asked = calls.read_text().split()
        assert "--id=GPU-1" in asked
        assert any("utilization.gpu" in word and "power.draw" in word for word in asked)

    def test_without_a_sensor_leaves_it_out(self, driver: Driver) -> None:
        driver("echo '3, 100, 200, [N/A], [Not Supported]'")
        assert set(read_gpu("0")) == {"gpu_use", "gpu_memory_used_mb", "gpu_memory_total_mb"}

    @pytest.mark.parametrize(
        "lines",
        [
            "echo 'No devices were found'; exit 6",
            "echo 'Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error'",
            "exit 0",
            "echo '1, 2, 3'",
            "printf '\\377\\376, x, y, z, 1\\n'; exit 9",
        ],
    )
    def test_that_does_not_tell_is_nothing(self, driver: Driver, lines: str) -> None:
        driver(lines)
        assert read_gpu("0") == {}

    def test_that_hangs_is_given_up(self, driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training.gauge._DRIVER_SECONDS", 0.3)
        driver("exec sleep 60")
        began = time.monotonic()
        assert read_gpu("0") == {}
        assert time.monotonic() - began < 5

    def test_without_a_driver_is_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert read_gpu("0") == {}

    @pytest.mark.parametrize(
        ("chosen", "first"),
        [(None, "0"), ("2,3", "2"), ("GPU-7f,GPU-8e", "GPU-7f"), ("", None)],
    )
    def test_is_the_one_that_cuda_takes_first(
        self, monkeypatch: pytest.MonkeyPatch, chosen: str | None, first: str | None
    ) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if chosen is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert first_gpu() == first


@pytest.fixture
def busy() -> Iterator[int]:
    """A session of two processes, one of which calculates; the process id of its leader."""
    spin = "import os\nos.fork()\ncontent = bytearray(50_000_000)\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
    yield process.pid
    os.killpg(process.pid, 9)
    process.wait()


class TestTheProcessor:
    def test_is_shared_by_all_processes_of_a_session(self, busy: int) -> None:
        processor = Processor(busy)
        deadline = time.monotonic() + 20
        while (reading := processor.read()).get("memory_mb", 0) < 90:
            assert time.monotonic() < deadline, reading
            time.sleep(0.1)
        time.sleep(0.5)
        reading = processor.read()
        assert 0 < reading["cpu_use"] <= 100
        assert 90 < reading["memory_mb"] < 200

    def test_of_a_session_that_is_gone_tells_nothing(self) -> None:
        process = subprocess.Popen(["true"], start_new_session=True)
        process.wait()
        assert Processor(process.pid).read() == {}


class TestTheGauge:
    def test_tells_the_newest_and_the_means_since_the_last_epoch(
        self, driver: Driver, busy: int
    ) -> None:
        driver('echo "$(($(wc -l < $0.n 2>/dev/null || echo 0) * 10)), 1, 2, 3, 4"; echo >> $0.n')
        with Gauge(busy, seconds=0.05) as gauge:
            gauge.watch_gpu()
            wait_for(lambda: gauge.now.get("gpu_use", 0) >= 50)
            means = gauge.means()
            later = gauge.means()
        assert 0 < means["gpu_use"] < gauge.now["gpu_use"]
        assert means["gpu_power"] == 4
        assert means["cpu_use"] > 0
        assert later["gpu_use"] >= means["gpu_use"]

    def test_asks_no_driver_where_the_training_is_on_the_processor(
        self, driver: Driver, busy: int
    ) -> None:
        calls = driver("echo '1, 1, 1, 1, 1'")
        with Gauge(busy, seconds=0.05) as gauge:
            wait_for(lambda: "cpu_use" in gauge.now)
        assert not calls.exists()
        assert "gpu_use" not in gauge.now

    def test_stands_a_reading_that_fails(self, busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
        tries: list[int] = []

        def fail_first(processor: Processor) -> dict[str, float]:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("no /proc today")
            return {"cpu_use": 1.0}

        monkeypatch.setattr(Processor, "read", fail_first)
        with Gauge(busy, seconds=0.02) as gauge:
            wait_for(lambda: gauge.now)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
