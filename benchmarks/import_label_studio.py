"""What Label Studio's own environment runs: a server, pictures sent to it, tasks with their boxes.

    python import_label_studio.py FOLDER STORE COUNT

Prints last the seconds from the first request of the import to the end of the last.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

_TOKEN = "0123456789abcdef0123456789abcdef01234567"
_CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="lon"/><Label value="chai"/><Label value="hộp"/></RectangleLabels></View>'
)
_NAMES = ["lon", "chai", "hộp"]
#: Pictures a request (it takes a hundred files at most), tasks a request.
_PICTURES, _TASKS = 50, 1000


def main(folder: Path, store: Path, count: int) -> float:
    """Start a server, import the set, end the server; return the seconds of the import."""
    store.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (store / "log.txt").open("wb")
    words = (
        f"start --no-browser --port {port} --username bench@example.com --password benchmark-only"
    )
    command = [str(Path(sys.executable).with_name("label-studio")), *words.split()]
    server = subprocess.Popen(
        [*command, "--data-dir", str(store), "--user-token", _TOKEN],
        env={**os.environ, "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true"},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        api = _Api(f"http://127.0.0.1:{port}")
        api.wait(server)
        project = api.call("post", "projects/", json={"title": "set", "label_config": _CONFIG})
        began = time.monotonic()
        _import(api, project["id"], folder)
        seconds = time.monotonic() - began
        tasks = api.call("get", f"projects/{project['id']}/")["task_number"]
        assert tasks == count, tasks
        return seconds
    finally:
        server.terminate()
        server.wait()


class _Api:
    def __init__(self, url: str) -> None:
        self._url, self._session = url, requests.Session()
        self._session.headers["Authorization"] = f"Token {_TOKEN}"

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._session.request(method, f"{self._url}/api/{path}", timeout=900, **body)
        if not answer.ok:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def wait(self, server: "subprocess.Popen[bytes]") -> None:
        for _ in range(300):
            if server.poll() is not None:
                break
            try:
                if self._session.get(f"{self._url}/health", timeout=5).ok:
                    return
            except requests.ConnectionError:
                pass
            time.sleep(1)
        raise SystemExit("Label Studio did not start")


def _import(api: _Api, project: int, folder: Path) -> None:
    pictures = sorted((folder / "images").iterdir())
    tasks = []
    for start in range(0, len(pictures), _PICTURES):
        chunk = pictures[start : start + _PICTURES]
        # A field for each: of fields with one name it takes the last.
        files = {p.name: (p.name, p.read_bytes(), "image/jpeg") for p in chunk}
        address = f"projects/{project}/import?commit_to_project=false"
        sent = api.call("post", address, files=files)
        known = api.call("get", f"projects/{project}/file-uploads?ids={sent['file_upload_ids']}")
        where = {Path(each["file"]).name.partition("-")[2]: each["file"] for each in known}
        for picture in chunk:
            label = folder / "labels" / f"{picture.stem}.txt"
            tasks.append(_task(f"/data/{where[picture.name]}", label.read_text()))
    for start in range(0, len(tasks), _TASKS):
        api.call("post", f"projects/{project}/import", json=tasks[start : start + _TASKS])


def _task(image: str, labels: str) -> dict[str, Any]:
    result = []
    for line in labels.splitlines():
        index, *box = line.split()
        x, y, width, height = (100 * float(number) for number in box)
        result.append(
            {
                "type": "rectanglelabels",
                "from_name": "label",
                "to_name": "image",
                "value": {
                    "x": x - width / 2,
                    "y": y - height / 2,
                    "width": width,
                    "height": height,
                    "rectanglelabels": [_NAMES[int(index)]],
                },
            }
        )
    return {"data": {"image": image}, "annotations": [{"result": result}]}


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
