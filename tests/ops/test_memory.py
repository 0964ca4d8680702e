"""Large files go through the web process without staying in its memory; 1 GB: `make bench-web`."""

import os
from pathlib import Path

import psutil
import pytest
import requests

from benchmarks.web import write_photos
from samples.client import Client
from tests.datasets.test_tus import BYTES, metadata
from tests.ops.portal import Portal, manage

pytestmark = pytest.mark.slow

_MB = 1024**2
_FILE_BYTES = 200 * _MB
_GROWTH_BYTES = 100 * _MB


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_a_large_upload_and_download_leave_the_web_process_small(
    portal: Portal, tmp_path: Path
) -> None:
    archive, export = tmp_path / "photos.zip", tmp_path / "export.zip"
    write_photos(archive, _FILE_BYTES)
    scopes = "read,import,train,detect,manage"
    token = manage(portal.home, "create_token", "admin", "--scopes", scopes).stdout.strip()
    client = Client(f"http://127.0.0.1:{portal.port}", token)
    project = client.post("projects/", {"name": "Photos"})["id"]
    web = portal.find("uvicorn")
    before = start_of_peak(web)

    fields = {"project": project, "dataset_name": "photos", "source": "zip"}
    begun = client.upload("imports/", fields, [("file", archive)])
    done = client.wait(f"imports/{begun['id']}/", seconds=120)
    assert done["status"] == "succeeded", done["error"]
    size = client.download(f"dataset-versions/{done['dataset_version']}/export/", export)

    assert size > 0.9 * _FILE_BYTES
    assert portal.find("uvicorn").pid == web.pid
    grown = peak(web) - before
    print(f"grew by {grown / _MB:.0f} MB at most")
    assert grown < _GROWTH_BYTES


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_one_large_piece_of_an_upload_leaves_the_web_process_small(
    portal: Portal, tmp_path: Path
) -> None:
    """A client that sends all of a file in one PATCH; the pages send 16 MB at a time."""
    size = 300 * _MB
    token = manage(portal.home, "create_token", "admin", "--scopes", "import,manage").stdout.strip()
    client = Client(f"http://127.0.0.1:{portal.port}", token)
    project = client.post("projects/", {"name": "Photos"})["id"]
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    begin = {**headers, "Upload-Length": str(size), "Upload-Metadata": metadata(project)}
    made = requests.post(f"{client.url}/api/v1/uploads/", headers=begin, timeout=20)
    assert made.status_code == 201, made.text
    web = portal.find("uvicorn")
    before = start_of_peak(web)

    file = tmp_path / "photos.zip"
    file.touch()
    os.truncate(file, size)
    piece = {**headers, "Upload-Offset": "0", "Content-Type": BYTES}
    with file.open("rb") as body:
        sent = requests.patch(made.headers["Location"], data=body, headers=piece, timeout=300)

    assert sent.status_code == 204, sent.text
    assert sent.headers["Upload-Offset"] == str(size)
    assert portal.find("uvicorn").pid == web.pid
    grown = peak(web) - before
    print(f"grew by {grown / _MB:.0f} MB at most")
    assert grown < _GROWTH_BYTES


def start_of_peak(process: psutil.Process) -> int:
    """Have Linux count a process's peak from now on; return what is resident."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    return int(process.memory_info().rss)


def peak(process: psutil.Process) -> int:
    """Return the most that was resident since then, also between two looks."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(kilobytes) * 1024
