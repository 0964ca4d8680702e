"""The main job through the public API: import, train with a live log, evaluate, detect, count.

`python -m samples.demo` starts the portal, does the job, prints one table, and goes on serving;
with DEMO_EXIT=1 it ends there. Its exit status says whether the job succeeded.
"""

import contextlib
import os
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cvtrainer_site import env
from samples import demo_settings
from samples.client import Client
from samples.demo_portal import new_token, opens, own_url, running_portal
from samples.demo_settings import CONFIDENCE, IMAGES, SEED, SIZE, TRAINING, UNSEEN
from samples.shelf_scenes import unseen_scenes, write_sample_zip
from samples.table import render_table


def main() -> int:
    """Run the demo and return its exit status."""
    try:
        return _run(own_url())
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(url: str) -> int:
    given = env.secret("CVTRAINER_ADMIN_PASSWORD", default="")
    password = given or secrets.token_urlsafe(9)
    with running_portal(url, password) as portal:
        try:
            is_good = _main_job(Client(url, new_token()))
        except Exception as error:  # noqa: BLE001  told in one line; the portal's log has the rest
            print(f"The demo failed: {error}", file=sys.stderr)
            is_good = False
        public = os.environ.get("CVTRAINER_PUBLIC_URL") or url
        print(f"\nOpen {public} and sign in as admin, {_how(password, bool(given))}", flush=True)
        if not os.environ.get("DEMO_EXIT"):
            print("Ctrl-C ends the portal.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                portal.wait()
    return 0 if is_good else 1


def _main_job(client: Client) -> bool:
    steps = Steps()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with tempfile.TemporaryDirectory(prefix="cvtrainer-demo-") as folder, steps:
        project = client.post("projects/", {"name": f"Kệ hàng mẫu {stamp}"})["id"]
        version = _import(client, steps, project, Path(folder))
        model, best = _train(client, steps, project, version)
        _evaluate(client, steps, model, version)
        wanted, found = _detect(client, steps, model, Path(folder))
    print("\n" + steps.table())
    print("\n" + _counts_table(wanted, found), flush=True)
    return is_success(best, found)


def is_success(map50: float, found: "Counter[str]") -> bool:
    """Tell whether the job succeeded: it learned, and found things on pictures it had not seen."""
    return map50 >= demo_settings.GOOD_MAP50 and found.total() >= demo_settings.LEAST_FOUND


class Steps:
    """What was done, how long it took and what came out."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []
        self._began = time.monotonic()

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.append(("total", f"{time.monotonic() - self._began:.1f} s", ""))

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time one step; what is put into the list is its result."""
        print(f"\n== {name}", flush=True)
        began, result = time.monotonic(), list[str]()
        yield result
        self._rows.append((name, f"{time.monotonic() - began:.1f} s", ", ".join(result)))

    def table(self) -> str:
        """Return all steps as text."""
        return render_table(("step", "time", "result"), self._rows)


def _import(client: Client, steps: Steps, project: str, folder: Path) -> str:
    archive = folder / "shelves.zip"
    with steps.step("draw the sample") as result:
        write_sample_zip(archive, images=IMAGES, seed=SEED, size=SIZE)
        result.append(f"{IMAGES} pictures")
    with steps.step("import the ZIP") as result:
        fields = {"project": project, "dataset_name": "Kệ hàng", "source": "zip"}
        begun = client.upload(
            "imports/", {**fields, "split_ratio": 0.2, "split_seed": 1}, [("file", archive)]
        )
        done = _ended(client.wait(f"imports/{begun['id']}/"))
        version = client.get(f"dataset-versions/{done['dataset_version']}/")
        images = version["images"]
        result.append(f"{images['train']} train, {images['val']} val, {version['boxes']} boxes")
    return str(version["id"])


def _train(client: Client, steps: Steps, project: str, version: str) -> tuple[str, float]:
    with steps.step("train from scratch") as result:
        begun = client.post(
            "training-runs/", {"project": project, "dataset_version": version, **TRAINING}
        )
        for frame in client.events(f"training-runs/{begun['id']}/"):
            _print_frame(frame)
        run = _ended(client.wait(f"training-runs/{begun['id']}/"))
        map50 = float(run["best"]["map50"])
        result.append(f"{run['epoch']} epochs, best mAP50 {map50:.3f}")
    return str(run["model"]), map50


def _evaluate(client: Client, steps: Steps, model: str, version: str) -> None:
    with steps.step("evaluate") as result:
        body = {"model": model, "dataset_version": version, "split": "val"}
        begun = client.post("evaluations/", body)
        metrics = _ended(client.wait(f"evaluations/{begun['id']}/"))["metrics"]
        result.append(f"mAP50 {metrics['map50']:.3f}, mAP50-95 {metrics['map50_95']:.3f}")


def _detect(
    client: Client, steps: Steps, model: str, folder: Path
) -> tuple["Counter[str]", "Counter[str]"]:
    scenes = unseen_scenes(count=UNSEEN, seed=SEED + 1000, size=SIZE)
    wanted: Counter[str] = Counter()
    paths = []
    for index, (picture, boxes) in enumerate(scenes):
        paths.append(folder / f"unseen-{index}.jpg")
        picture.save(paths[-1], quality=92)
        wanted.update(box.name for box in boxes)
    with steps.step("detect on unseen pictures") as result:
        fields = {"model": model, "conf": CONFIDENCE, "wait": 30}
        answer = client.upload("detections/", fields, [("images", path) for path in paths])
        answer = _ended(client.wait(f"detections/{answer['id']}/"))
        found = Counter({name: int(number) for name, number in answer["counts"].items()})
        result.append(f"{UNSEEN} pictures, {sum(found.values())} of {sum(wanted.values())} things")
    return wanted, found


def _print_frame(frame: dict[str, Any]) -> None:
    if frame["type"] == "log":
        print(f"   {frame['text']}", flush=True)
    elif frame["type"] == "epoch":
        val = frame["val"]
        print(f"   epoch {frame['epoch']}: mAP50 {val['map50'] or 0:.3f}", flush=True)


def _counts_table(wanted: "Counter[str]", found: "Counter[str]") -> str:
    names = sorted(wanted.keys() | found.keys())
    rows = [(name, wanted[name], found[name], f"{found[name] - wanted[name]:+d}") for name in names]
    return render_table(("class", "true", "predicted", "difference"), rows)


def _ended(state: dict[str, Any]) -> dict[str, Any]:
    if state["status"] != "succeeded":
        raise RuntimeError(f"{state['status']}: {state.get('error')}")
    return state


def _how(password: str, is_given: bool) -> str:
    """Say with which password; one that does not work is not named."""
    if not opens(password):
        change = ".venv/bin/python manage.py changepassword admin"
        return f"with the password of its first start.\nA new one: {change}"
    return "password as in CVTRAINER_ADMIN_PASSWORD." if is_given else f"password {password}"


if __name__ == "__main__":
    sys.exit(main())
