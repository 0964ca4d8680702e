"""Brings the records of a source into storage and rows, in chunks, again and again the same.

An attempt that is cut off leaves pictures in storage, which the next one finds again by their
content, and rows of a version that nobody sees before it is ready, which the next one removes.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from django.utils.translation import gettext as _

from datasets.boxes import Box, in_pixels, joined, turned
from datasets.fingerprint import Fingerprint
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, ImageClass, Import, Picture
from datasets.picture_pool import PicturePool
from datasets.picture_store import Incoming, store_pictures
from datasets.problems import Problems
from datasets.sources.base import LabelState, PictureRecord, Source
from datasets.split import SplitItem, assign
from jobs import transitions
from jobs.errors import UserError
from jobs.reporter import Reporter

_CHUNK = 100
_ROWS = 500
_FEWEST = 2


@dataclass(frozen=True)
class Totals:
    """What the version holds in the end."""

    images: Counter[str]
    boxes: int
    fingerprint: str


@dataclass
class Ingest:
    """One import of one source into one version."""

    job: Import
    reporter: Reporter
    source: Source
    pool: PicturePool
    #: Images so far, by the digest of their bytes: row, classes and the split they brought along.
    items: dict[str, SplitItem] = field(default_factory=dict)
    rows: dict[str, UUID] = field(default_factory=dict)
    #: Boxes that byte-identical pictures brought along.
    extra: dict[str, list[tuple[Box, ...]]] = field(default_factory=dict)
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def version(self) -> DatasetVersion:
        """The version that is filled."""
        return self.job.version

    @property
    def problems(self) -> Problems:
        """What was left out or repaired."""
        return self.source.problems

    def run(self) -> Totals:
        """Bring in all pictures, and divide them.

        Raises:
            UserError: nothing usable came in.
        """
        classes = self._start()
        records = self.source.records()
        while chunk := list(islice(records, _CHUNK)):
            self.reporter.raise_if_cancelled()
            self._bring_in(chunk)
        self._join_duplicates()
        self._check()
        self._split()
        return self._count(classes)

    def _start(self) -> list[DatasetClass]:
        """Remove what an earlier attempt left, and make the classes."""
        text = _("Found %(pictures)d pictures and %(classes)d classes.")
        found = {"pictures": self.source.total, "classes": len(self.source.classes)}
        self.reporter.log(text % found)
        self.reporter.progress("pictures", 0, self.source.total)
        with transitions.fenced(self.job):
            DatasetImage.objects.filter(version=self.version).delete()
            DatasetClass.objects.filter(version=self.version).delete()
            return DatasetClass.objects.bulk_create(
                DatasetClass(version=self.version, index=index, name=name)
                for index, name in enumerate(self.source.classes)
            )

    def _bring_in(self, chunk: list[PictureRecord]) -> None:
        """Check and store the pictures of a chunk, then write their rows together."""
        new: dict[str, PictureRecord] = {}
        incoming = self._new_ones(chunk, new)
        pictures = store_pictures(self.job.project_id, incoming, self.pool, self.problems)
        with transitions.fenced(self.job):
            known = _save_pictures(self.job.project_id, pictures)
            DatasetImage.objects.bulk_create(
                self._image(record, known[sha256])
                for sha256, record in new.items()
                if sha256 in known
            )
        self.done += len(chunk)
        self.reporter.progress(
            "pictures", self.done, self.source.total, eta_seconds=self._eta(), rate=self._rate()
        )

    def _new_ones(
        self, chunk: list[PictureRecord], new: dict[str, PictureRecord]
    ) -> Iterator[Incoming]:
        """Read the pictures of a chunk one by one, and note them in `new` by their digest.

        One that is there already only adds its boxes.
        """
        for record in chunk:
            try:
                data = self.source.read_picture(record)
            except UserError as error:
                self.problems.add(error.code, record.key)
                continue
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in self.items or sha256 in new:
                self.problems.add("picture_twice", record.key)
                self.extra.setdefault(sha256, []).append(record.boxes)
                continue
            new[sha256] = record
            yield Incoming(record.key, sha256, data)

    def _image(self, record: PictureRecord, picture: Picture) -> DatasetImage:
        if record.state == LabelState.UNLABELLED:
            self.problems.add("picture_unlabelled", record.key)
        boxes = self._pixels(record.boxes, picture, record.upright)
        image = DatasetImage(
            version=self.version,
            picture=picture,
            position=len(self.items),
            file_name=record.file_name[:255],
            split=DatasetImage.Split.TRAIN,
            boxes=boxes,
        )
        classes = frozenset(int(row[0]) for row in boxes)
        self.items[picture.sha256] = SplitItem(picture.sha256, classes, record.split)
        self.rows[picture.sha256] = image.pk
        return image

    def _pixels(self, boxes: Iterable[Box], picture: Picture, upright: bool) -> list[list[float]]:
        orientation = 1 if upright else picture.orientation
        return in_pixels((turned(b, orientation) for b in boxes), picture.width, picture.height)

    def _join_duplicates(self) -> None:
        """Give each picture the boxes of its byte-identical twins."""
        for sha256, lists in self.extra.items():
            if sha256 not in self.rows:
                continue
            image = DatasetImage.objects.select_related("picture").get(pk=self.rows[sha256])
            found = self._pixels(joined(*lists), image.picture, upright=False)
            merged = [*image.boxes, *(row for row in found if row not in image.boxes)]
            if merged == image.boxes:
                continue
            with transitions.fenced(self.job):
                DatasetImage.objects.filter(pk=image.pk).update(boxes=merged)
            item = self.items[sha256]
            classes = frozenset(int(row[0]) for row in merged)
            self.items[sha256] = SplitItem(item.key, classes, item.given)

    def _check(self) -> None:
        if not self.items:
            raise UserError("no_picture_usable")
        if len(self.items) < _FEWEST:
            raise UserError("too_few_pictures")
        if not any(item.classes for item in self.items.values()):
            raise UserError("no_boxes")

    def _split(self) -> None:
        """Divide the pictures into training and validation, or keep what they brought along."""
        self.reporter.progress("split", 0, len(self.items))
        version, items = self.version, list(self.items.values())
        split = assign(
            items,
            ratio=version.split_ratio,
            seed=version.split_seed,
            keep=self.job.keep_splits,
        )
        if split.made_here and self.job.keep_splits and any(item.given for item in items):
            self.problems.add("splits_made_anew", count=len(items))
        for side in DatasetImage.Split.values:
            members = [self.rows[key] for key, value in split.of.items() if value == side]
            for start in range(0, len(members), _ROWS):
                with transitions.fenced(self.job):
                    part = DatasetImage.objects.filter(pk__in=members[start : start + _ROWS])
                    part.update(split=side)

    def _count(self, classes: list[DatasetClass]) -> Totals:
        """Count boxes and images a class, note where each occurs, and take the fingerprint."""
        self.reporter.progress("count", 0, len(self.items))
        fingerprint = Fingerprint(self.source.classes)
        images: Counter[str] = Counter()
        boxes: Counter[int] = Counter()
        shown: Counter[int] = Counter()
        rows = DatasetImage.objects.filter(version=self.version).select_related("picture")
        iterator = rows.order_by("position").iterator(chunk_size=_ROWS)
        while chunk := list(islice(iterator, _ROWS)):
            self.reporter.raise_if_cancelled()
            uses = []
            for image in chunk:
                images[image.split] += 1
                fingerprint.add(image.picture.sha256, image.split, image.boxes)
                counted = Counter(int(row[0]) for row in image.boxes)
                boxes.update(counted)
                shown.update(counted.keys())
                uses += [
                    ImageClass(image=image, dataset_class=classes[index], boxes=number)
                    for index, number in counted.items()
                ]
            with transitions.fenced(self.job):
                ImageClass.objects.bulk_create(uses)
        for row in classes:
            row.boxes, row.images = boxes[row.index], shown[row.index]
        with transitions.fenced(self.job):
            DatasetClass.objects.bulk_update(classes, ["boxes", "images"], batch_size=_ROWS)
        return Totals(images, boxes.total(), fingerprint.hexdigest())

    def _rate(self) -> float:
        """Return pictures a second so far."""
        return round(self.done / max(time.monotonic() - self.began, 0.001), 1)

    def _eta(self) -> float | None:
        rate = self._rate()
        return (self.source.total - self.done) / rate if rate else None


def _save_pictures(project_id: UUID, pictures: list[Picture]) -> dict[str, Picture]:
    """Insert the pictures that are new; return all of them by digest as the database has them."""
    Picture.objects.bulk_create(pictures, ignore_conflicts=True)
    digests = [picture.sha256 for picture in pictures]
    rows = Picture.objects.filter(project_id=project_id, sha256__in=digests)
    return {row.sha256: row for row in rows}
