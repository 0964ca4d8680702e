"""Brings the records of a source into storage and rows, in chunks, again and again the same.

An attempt that is cut off leaves pictures in storage, which the next one finds again by their
content, and rows of a version that nobody sees before it is ready, which the next one removes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from datasets import adding, cleaning
from datasets.adding import OwnCounts
from datasets.arrived import Arrived
from datasets.baselines import carried
from datasets.image_problems import UNLABELLED, plainly
from datasets.import_split import ImportSplit
from datasets.labelling import Labelling
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, Import
from datasets.pace import Pace
from datasets.picture_pool import PicturePool
from datasets.picture_store import Incoming, PictureStore, Placed
from datasets.problems import Problems
from datasets.remote_pictures import RemotePictures
from datasets.sources.base import PictureRecord, Source, SourceLost
from datasets.tally import Tally
from datasets.turning import UPRIGHT
from datasets.twins import Twins
from datasets.unreadable import joined, unreadable_of
from jobs import transitions
from jobs.errors import LeaseLost, UserError, describe
from jobs.reporter import Reporter
from jobs.runner import Commit

_CHUNK = 100
_ROWS = 500
_FEWEST = 2


@dataclass
class Ingest:
    """One import of one source into one version."""

    job: Import
    reporter: Reporter
    source: Source
    pool: PicturePool
    #: Images so far.
    arrived: Arrived = field(default_factory=Arrived)
    #: What is added to; known once it starts.
    earlier: DatasetVersion | None = None
    #: Further records whose pictures have the same bytes as an earlier one.
    twins: dict[str, Twins] = field(default_factory=dict)
    #: Pictures that came as other files before: theirs by the digest of the file, and by which EXIF
    #: orientation files were turned that are kept upright.
    same: dict[str, str] = field(default_factory=dict)
    turned_by: dict[str, int] = field(default_factory=dict)
    done: int = 0
    #: What of the source is here already, where it can tell without reading it.
    remote: RemotePictures | None = None

    def __post_init__(self) -> None:
        self.store = PictureStore(self.job, self.pool, self.problems)
        self.labels = Labelling(self.version, self.problems)
        if self.remote:
            self.store.on_stored = self.remote.stored
        self.pace = Pace(self.source.total)

    @property
    def version(self) -> DatasetVersion:
        """The version that is filled."""
        return self.job.version

    @property
    def problems(self) -> Problems:
        """What was left out or repaired."""
        return self.source.problems

    def run(self) -> Commit:
        """Bring in all pictures, divide and count them; return the write that makes them a version.

        Raises:
            UserError: nothing usable came in.
        """
        try:
            rows = self._start()
            self._bring_in()
            self._join_twins()
            own = OwnCounts(self.labels.classes, first_earlier=len(self.arrived))
            self._add_earlier()
            self._check()
            self._split()
            tally = self._count(rows, own)
        except LeaseLost:
            cleaning.forget_files(self.job.project_id, self.store.recent)
            raise
        except UserError:
            self._tell_problems()
            raise
        return self._finish(tally, own)

    def _start(self) -> list[DatasetClass]:
        """Remove what an earlier attempt left, and make the classes."""
        if self.job.attempt > 1:
            self.reporter.log(_("It was cut off before; what is stored already is not lost."))
        text = _("Found %(pictures)d pictures and %(classes)d classes.")
        found = {"pictures": self.source.total, "classes": len(self.source.classes)}
        self.reporter.log(text % found)
        self.reporter.progress("pictures", 0, self.source.total)
        self.earlier = adding.earlier_version(self.job)
        self.labels.classes = adding.joined_classes(self.earlier, self.source.classes)
        with transitions.fenced(self.job):
            self.version.clear()
            DatasetVersion.objects.filter(pk=self.version.pk).update(parent=self.earlier)
            return DatasetClass.objects.bulk_create(
                DatasetClass(version=self.version, index=index, name=name)
                for index, name in enumerate(self.labels.classes.names)
            )

    def _add_earlier(self) -> None:
        """Take over the images that the dataset had; what came again has its new boxes."""
        if self.earlier is None:
            return
        own_split = self.job.keep_splits and self.arrived.brings_split
        before = adding.taken_over(self.earlier, self.version, self.arrived, own_split=own_split)
        for taken in before:
            self.reporter.raise_if_cancelled()
            for name in taken.came_again:
                self.problems.add("picture_came_again", name)
            with transitions.fenced(self.job):
                DatasetImage.objects.bulk_create(taken.images.values())
                adding.note_problems(self.earlier, self.version, taken.images)
        text = _("Version %(number)d stays in it: %(pictures)d pictures in all.")
        self.reporter.log(text % {"number": self.earlier.number, "pictures": len(self.arrived)})

    def _bring_in(self) -> None:
        """Check and store the pictures, and write their rows, so many together."""
        coming: dict[str, PictureRecord] = {}
        images: list[DatasetImage] = []
        with closing(self.store.store(self._new_ones(coming))) as stored:
            for placed in stored:
                for sha256, found in placed.items():
                    if image := self._image(sha256, coming.pop(sha256), found):
                        images.append(image)
                if len(images) >= _CHUNK:
                    self._write(images)
                    images.clear()
        self._write(images)

    def _write(self, images: list[DatasetImage]) -> None:
        with transitions.fenced(self.job):
            DatasetImage.objects.bulk_create(images)
            self.labels.save()

    def _new_ones(self, coming: dict[str, PictureRecord]) -> Iterator[Incoming]:
        """Read the pictures one by one, and note them in `coming` by their digest."""
        for record in self.source.records():
            self._tell_progress()
            self.done += 1
            read = self._read(record)
            if read is None:
                continue
            sha256, data = read
            if sha256 in coming or self._came_before(sha256):
                self.twins.setdefault(sha256, Twins()).add(record)
                continue
            coming[sha256] = record
            yield Incoming(record.key, sha256, data)

    def _came_before(self, sha256: str) -> bool:
        return sha256 in self.arrived.items or sha256 in self.same or sha256 in self.store.refused

    def _read(self, record: PictureRecord) -> tuple[str, bytes] | None:
        """Return digest and bytes of a picture; no bytes where it is here already.

        Raises:
            SourceLost: no picture can be had any more.
        """
        if sha256 := self.source.digest_of(record):
            return sha256, b""
        try:
            data = self.source.read_picture(record)
        except SourceLost:
            raise
        except UserError as error:
            self.problems.add(error.code, record.key)
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        if self.remote:
            self.remote.coming(record.key, sha256)
        return sha256, data

    def _tell_progress(self) -> None:
        self.reporter.raise_if_cancelled()
        self.pace.reached(self.done)
        self.reporter.progress(
            "pictures",
            self.done,
            self.source.total,
            eta_seconds=self.pace.seconds_left,
            rate=self.pace.rate,
        )

    def _image(self, sha256: str, record: PictureRecord, placed: Placed) -> DatasetImage | None:
        """Return the row of a picture; nothing where another file of it came before."""
        picture = placed.picture
        if placed.orientation != UPRIGHT:
            self.turned_by[sha256] = placed.orientation
        if sha256 != picture.sha256:
            self.same[sha256] = picture.sha256
        if picture.sha256 in self.arrived.items:
            self.twins.setdefault(sha256, Twins()).add(record)
            return None
        boxes, odd = self.labels.read(record, placed)
        image = DatasetImage(
            version=self.version,
            picture=picture,
            position=len(self.arrived),
            file_name=record.file_name[:255],
            split=DatasetImage.Split.TRAIN,
            boxes=boxes,
        )
        self.arrived.add(image, record.split)
        self.labels.note(image.pk, odd)
        return image

    def _join_twins(self) -> None:
        """Give each picture the boxes of its byte-identical twins."""
        for came, twins in self.twins.items():
            self.reporter.raise_if_cancelled()
            sha256 = self.same.get(came, came)
            is_here = sha256 in self.arrived.rows
            code = "picture_twice" if is_here else self.store.refused[sha256]
            for key in twins.keys:
                self.problems.add(code, key)
            if twins.is_labelled:
                self.labels.unlabelled.pop(sha256, None)
            if is_here:
                self.labels.note(self.arrived.rows[sha256], plainly([code]))
                self._join(sha256, twins, self.turned_by.get(came, UPRIGHT))
        for sha256, key in self.labels.unlabelled.items():
            self.problems.add(UNLABELLED, key)
            self.labels.note(self.arrived.rows[sha256], plainly([UNLABELLED]))
        with transitions.fenced(self.job):
            self.labels.save()

    def _join(self, sha256: str, twins: Twins, orientation: int) -> None:
        rows = DatasetImage.objects.select_related("picture")
        image = rows.get(pk=self.arrived.rows[sha256])
        boxes = self.labels.with_twins(image, twins, orientation)
        if boxes == image.boxes:
            return
        with transitions.fenced(self.job):
            DatasetImage.objects.filter(pk=image.pk).update(boxes=boxes)
        self.arrived.relabel(sha256, boxes)

    def _check(self) -> None:
        if not self.arrived.items:
            raise UserError("no_picture_usable")
        if len(self.arrived) < _FEWEST:
            raise UserError("too_few_pictures")
        if not any(item.classes for item in self.arrived.items.values()):
            raise UserError("no_boxes")

    def _split(self) -> None:
        """Divide the pictures, or keep the split that they brought along."""
        split = ImportSplit(self.job, self.reporter, self.problems, self.arrived.rows)
        twins = {self.same.get(came, came): twins for came, twins in self.twins.items()}
        split.run(list(self.arrived.items.values()), self.arrived.hashes, twins)

    def _count(self, classes: list[DatasetClass], own: OwnCounts) -> Tally:
        """Count boxes and images a class, note where each occurs, and take the fingerprint."""
        unreadable = joined(self.problems.rows(), unreadable_of(self.earlier))
        tally = Tally(self.version, classes, unreadable=unreadable)
        images = DatasetImage.objects.filter(version=self.version).select_related("picture")
        for chunk in images.in_chunks(_ROWS):
            self.reporter.raise_if_cancelled()
            self.reporter.progress("count", tally.images, len(self.arrived))
            self.reporter.flush_if_due()
            with transitions.fenced(self.job):
                tally.add(chunk)
            own.add(chunk)
        with transitions.fenced(self.job):
            tally.save_classes()
        return tally

    def _finish(self, tally: Tally, own: OwnCounts) -> Commit:
        """Tell what came in; return what is written together with the import's success."""
        text = _("Training: %(train)d pictures, validation: %(val)d, test: %(test)d.")
        self.reporter.log(text % {split: tally.of(split) for split in DatasetImage.Split.values})
        self.source.closing(own.counted())
        self._tell_problems()
        self.reporter.progress("finish", tally.images, tally.images)
        fields = tally.fields()
        fields |= {"warnings": self.problems.rows(), "layout": dict(self.source.layout)}
        fields["baselines"] = carried([], self.earlier)
        if self.job.review:
            fields["status"] = DatasetVersion.Status.REVIEW

        def commit() -> None:
            DatasetVersion.objects.filter(pk=self.job.version_id).update(**fields)

        return commit

    def _tell_problems(self) -> None:
        """Write into the log what was left out or repaired."""
        for row in self.problems.rows():
            where = ", ".join(row["examples"][:3])
            text = describe(row["code"], {"count": row["count"]})[0]
            self.reporter.log(f"{text} ({where})" if where else text, level="warning")
