"""bench-gallery: a page of a version of 100,000 pictures, against one of 100 in the same portal.

The page is a person's: signed in, with its thumbnails' addresses, boxes, classes and filters, as a
browser gets it. Targets: 100 ms at the median for every kind of page, and the same number of
queries as with 100 pictures.
"""

import json
import statistics
import sys
import time
from collections.abc import Mapping

from benchmarks.figures import Figure, at_most, note, run
from benchmarks.portal import Portal, portal, signed_in

_MANY, _FEW = 100_000, 100
_TIMES, _TARGET_MS = 21, 100.0
_VIEWS: Mapping[str, str] = {
    "first page": "",
    "last page": "page=last",
    "one class": "class=3",
    "one class, last page": "class=3&page=last",
    "one class, validation": "class=3&split=val",
    "one class, validation, last page": "class=3&split=val&page=last",
    "one problem": "problem=look_alike",
    "one problem and class": "problem=look_alike&class=3",
    "text in names": "q=99",
    "text in names, one class": "q=9&class=3",
}

_FILL = """
from random import Random
from accounts.models import User
from datasets.models import *
from datasets.tally import Tally
from projects.services import create_project
random, count, places = Random(7), {count}, {{}}
owner = User.objects.get(username="admin")
project = create_project(user=owner, name="bench {count}")
dataset = Dataset.objects.create(project=project, name="bench")
version = DatasetVersion.objects.create(
    dataset=dataset, number=1, status="ready", source="zip", split_ratio=0.2,
    train_images=count * 4 // 5, val_images=count // 5, boxes=count * 10)
classes = [DatasetClass.objects.create(version=version, index=i, name=f"lớp {{i}}")
           for i in range(20)]
tally = Tally(version, classes)
for start in range(0, count, 1000):
    numbers = range(start, min(count, start + 1000))
    pictures = Picture.objects.bulk_create(Picture(
        project=project, sha256=f"{{n:064x}}", stored_sha256=f"{{n:064x}}", width=1280, height=960,
        size=1, file=f"{{n}}.jpg", thumbnail=f"{{n}}-t.jpg") for n in numbers)
    images = DatasetImage.objects.bulk_create(DatasetImage(
        version=version, picture=picture, position=n, file_name=f"kệ-{{n:06}}.jpg",
        split="val" if n % 5 == 0 else "train", group=n if n % 10 == 0 else None,
        boxes=[[random.randrange(20), 10.0 * k, 20.0, 10.0 * k + 90, 220.0] for k in range(10)])
        for n, picture in zip(numbers, pictures))
    tally.add(images)
tally.save_classes()
DatasetVersion.objects.filter(pk=version.pk).update(**tally.fields())
print(version.pk)
"""

_QUERIES = """
import json
from django.conf import settings
settings.ALLOWED_HOSTS = ["*"]
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from accounts.models import User
client = Client()
client.force_login(User.objects.get(username="admin"))
found = []
for view in {views}:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/dataset-versions/{version}/images/?" + view)
        assert answer.status_code == 200, answer.status_code
    found.append(len(queries))
print(json.dumps(found))
"""


def measure() -> list[Figure]:
    """Fill two versions, then ask for their pages in turns."""
    with portal() as running:
        versions = {}
        for count in (_FEW, _MANY):
            note(f"{count} pictures")
            versions[count] = _shell(running, _FILL.format(count=count))
        queries = {count: _queries(running, version) for count, version in versions.items()}
        times = _times(running, versions)
    figures = []
    for name in _VIEWS:
        few, many = (statistics.median(times[count, name]) for count in (_FEW, _MANY))
        figures.append(at_most(f"{name}, {_MANY} pictures", many, _TARGET_MS, "ms", 1))
        figures.append(Figure(f"{name}, against {_FEW} pictures", f"{many / few:.2f}"))
    pairs = list(zip(queries[_FEW], queries[_MANY], strict=True))
    same = all(few == many for few, many in pairs)
    said = ", ".join(f"{many}" for _, many in pairs)
    figures.append(Figure("queries of each view", said, "the same", same))
    return figures


def _times(running: Portal, versions: dict[int, str]) -> dict[tuple[int, str], list[float]]:
    """Return the milliseconds of each view of each version, asked for in turns."""
    session, times = signed_in(running), {}
    for turn in range(_TIMES + 1):
        for count, version in versions.items():
            for name, query in _VIEWS.items():
                address = f"{running.client.url}/dataset-versions/{version}/images/?{query}"
                began = time.perf_counter()
                session.get(address).raise_for_status()
                took = 1000 * (time.perf_counter() - began)
                if turn:  # the first turn warms up
                    times.setdefault((count, name), []).append(took)
    return times


def _queries(running: Portal, version: str) -> list[int]:
    text = _shell(running, _QUERIES.format(views=list(_VIEWS.values()), version=version))
    found: list[int] = json.loads(text)
    return found


def _shell(running: Portal, code: str) -> str:
    """Run code with the portal's database and return its last line."""
    return running.manage("shell", "--no-imports", "-c", code).splitlines()[-1]


if __name__ == "__main__":
    sys.exit(run("gallery", measure))
