"""Brings the records of a source into storage and rows, in chunks, again and again the same.

An attempt that is cut off leaves pictures in storage, which the next one finds again by their
content, and rows of a version that nobody sees before it is ready, which the next one removes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from django.utils.translation import gettext as _

from datasets import cleaning
from datasets.boxes import MAX_BOXES, Box, in_pixels, turned
from datasets.import_split import ImportSplit
from datasets.models import DatasetClass, DatasetImage, DatasetVersion, Import, Picture
from datasets.pace import Pace
from datasets.picture_pool import PicturePool
from datasets.picture_store import Incoming, PictureStore, Placed
from datasets.problems import Problems
from datasets.remote_pictures import RemotePictures
from datasets.sources.base import LabelState, PictureRecord, Source, SourceLost
from datasets.split import SplitItem
from datasets.tally import Tally
from datasets.twins import Sight, Twins
from jobs import transitions
from jobs.errors import LeaseLost, UserError, describe
from jobs.reporter import Reporter
from jobs.runner import Commit

_CHUNK = 100
_ROWS = 500
_FEWEST = 2
#: From this EXIF value on the stored picture has its sides exchanged.
_LYING = 5
_UPRIGHT = 1


@dataclass
class Ingest:
    """One import of one source into one version."""

    job: Import
    reporter: Reporter
    source: Source
    pool: PicturePool
    #: Images so far, by the digest of their bytes: classes and split that they brought along, row,
    #: perceptual hash.
    items: dict[str, SplitItem] = field(default_factory=dict)
    rows: dict[str, UUID] = field(default_factory=dict)
    hashes: dict[str, int] = field(default_factory=dict)
    #: Further records whose pictures have the same bytes as an earlier one.
    twins: dict[str, Twins] = field(default_factory=dict)
    #: Pictures that came as other files before: theirs by the digest of the file, and by which EXIF
    #: orientation files were turned that are kept upright.
    same: dict[str, str] = field(default_factory=dict)
    turned_by: dict[str, int] = field(default_factory=dict)
    #: Images of which nobody says what is on them, by digest: where they were.
    unlabelled: dict[str, str] = field(default_factory=dict)
    done: int = 0
    #: What of the source is here already, where it can tell without reading it.
    remote: RemotePictures | None = None

    def __post_init__(self) -> None:
        self.store = PictureStore(self.job, self.pool, self.problems)
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
            classes = self._start()
            records = self.source.records()
            while chunk := list(islice(records, _CHUNK)):
                self._bring_in(chunk)
            self._join_twins()
            self._check()
            self._split()
            tally = self._count(classes)
        except LeaseLost:
            cleaning.forget_files(self.job.project_id, self.store.recent)
            raise
        except UserError:
            self._tell_problems()
            raise
        return self._finish(tally)

    def _start(self) -> list[DatasetClass]:
        """Remove what an earlier attempt left, and make the classes."""
        if self.job.attempt > 1:
            self.reporter.log(_("It was cut off before; what is stored already is not lost."))
        text = _("Found %(pictures)d pictures and %(classes)d classes.")
        found = {"pictures": self.source.total, "classes": len(self.source.classes)}
        self.reporter.log(text % found)
        self.reporter.progress("pictures", 0, self.source.total)
        with transitions.fenced(self.job):
            self.version.clear()
            return DatasetClass.objects.bulk_create(
                DatasetClass(version=self.version, index=index, name=name)
                for index, name in enumerate(self.source.classes)
            )

    def _bring_in(self, chunk: list[PictureRecord]) -> None:
        """Check and store the pictures of a chunk, then write their rows together."""
        new: dict[str, PictureRecord] = {}
        placed = self.store.store(self._new_ones(chunk, new))
        images = [
            image
            for sha256, record in new.items()
            if sha256 in placed and (image := self._image(sha256, record, placed[sha256]))
        ]
        with transitions.fenced(self.job):
            DatasetImage.objects.bulk_create(images)

    def _new_ones(
        self, chunk: list[PictureRecord], new: dict[str, PictureRecord]
    ) -> Iterator[Incoming]:
        """Read the pictures of a chunk one by one, and note them in `new` by their digest."""
        for record in chunk:
            self._tell_progress()
            self.done += 1
            read = self._read(record)
            if read is None:
                continue
            sha256, data = read
            if sha256 in new or self._came_before(sha256):
                self.twins.setdefault(sha256, Twins()).add(record)
                continue
            new[sha256] = record
            yield Incoming(record.key, sha256, data)

    def _came_before(self, sha256: str) -> bool:
        return sha256 in self.items or sha256 in self.same or sha256 in self.store.refused

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
        if placed.orientation != _UPRIGHT:
            self.turned_by[sha256] = placed.orientation
        if sha256 != picture.sha256:
            self.same[sha256] = picture.sha256
        if picture.sha256 in self.items:
            self.twins.setdefault(sha256, Twins()).add(record)
            return None
        if record.state == LabelState.UNLABELLED:
            self.unlabelled[picture.sha256] = record.key
        orientation = placed.orientation
        boxes = _pixels(record.boxes, picture, orientation, (record.upright, record.tall))
        if boxes and record.turn_unknown and not _tells_turn(picture, orientation, record.tall):
            self.problems.add("picture_turn_doubtful", record.key)
        image = DatasetImage(
            version=self.version,
            picture=picture,
            position=len(self.items),
            file_name=record.file_name[:255],
            split=DatasetImage.Split.TRAIN,
            boxes=boxes,
        )
        self.items[picture.sha256] = SplitItem(picture.sha256, _classes(boxes), record.split)
        self.rows[picture.sha256] = image.pk
        if picture.perceptual_hash is not None:
            self.hashes[picture.sha256] = picture.perceptual_hash
        return image

    def _join_twins(self) -> None:
        """Give each picture the boxes of its byte-identical twins."""
        for came, twins in self.twins.items():
            self.reporter.raise_if_cancelled()
            sha256 = self.same.get(came, came)
            code = "picture_twice" if sha256 in self.rows else self.store.refused[sha256]
            for key in twins.keys:
                self.problems.add(code, key)
            if twins.is_labelled:
                self.unlabelled.pop(sha256, None)
            if sha256 in self.rows:
                self._join(sha256, twins, self.turned_by.get(came, _UPRIGHT))
        for key in self.unlabelled.values():
            self.problems.add("picture_unlabelled", key)

    def _join(self, sha256: str, twins: Twins, orientation: int) -> None:
        image = DatasetImage.objects.select_related("picture").get(pk=self.rows[sha256])
        boxes, left_out = list(image.boxes), twins.left_out
        known = set(map(tuple, boxes))
        for sight, found in twins.boxes():
            for row in _pixels(found, image.picture, orientation, sight):
                if tuple(row) in known:
                    continue
                if len(boxes) >= MAX_BOXES:
                    left_out += 1
                    continue
                known.add(tuple(row))
                boxes.append(row)
        if left_out:
            self.problems.add("too_many_boxes", twins.keys[0], left_out)
        if boxes == image.boxes:
            return
        with transitions.fenced(self.job):
            DatasetImage.objects.filter(pk=image.pk).update(boxes=boxes)
        self.items[sha256] = SplitItem(sha256, _classes(boxes), self.items[sha256].given)

    def _check(self) -> None:
        if not self.items:
            raise UserError("no_picture_usable")
        if len(self.items) < _FEWEST:
            raise UserError("too_few_pictures")
        if not any(item.classes for item in self.items.values()):
            raise UserError("no_boxes")

    def _split(self) -> None:
        """Divide the pictures, or keep the split that they brought along."""
        split = ImportSplit(self.job, self.reporter, self.problems, self.rows)
        twins = {self.same.get(came, came): twins for came, twins in self.twins.items()}
        split.run(list(self.items.values()), self.hashes, twins)

    def _count(self, classes: list[DatasetClass]) -> Tally:
        """Count boxes and images a class, note where each occurs, and take the fingerprint."""
        tally = Tally(classes)
        images = DatasetImage.objects.filter(version=self.version).select_related("picture")
        for chunk in images.in_chunks(_ROWS):
            self.reporter.raise_if_cancelled()
            self.reporter.progress("count", tally.images, len(self.items))
            with transitions.fenced(self.job):
                tally.add(chunk)
        with transitions.fenced(self.job):
            tally.save_classes()
        return tally

    def _finish(self, tally: Tally) -> Commit:
        """Tell what came in; return what is written together with the import's success."""
        text = _("Training: %(train)d pictures, validation: %(val)d, test: %(test)d.")
        self.reporter.log(text % {split: tally.of(split) for split in DatasetImage.Split.values})
        self.source.closing(tally.counted())
        self._tell_problems()
        self.reporter.progress("finish", tally.images, tally.images)
        fields = tally.fields()
        fields |= {"warnings": self.problems.rows(), "layout": dict(self.source.layout)}

        def commit() -> None:
            DatasetVersion.objects.filter(pk=self.job.version_id).update(**fields)

        return commit

    def _tell_problems(self) -> None:
        """Write into the log what was left out or repaired."""
        for row in self.problems.rows():
            where = ", ".join(row["examples"][:3])
            text = describe(row["code"], {"count": row["count"]})[0]
            self.reporter.log(f"{text} ({where})" if where else text, level="warning")


def _pixels(
    boxes: Iterable[Box], picture: Picture, orientation: int, sight: Sight
) -> list[list[float]]:
    turn = _UPRIGHT if _was_upright(picture, orientation, *sight) else orientation
    return in_pixels((turned(box, turn) for box in boxes), picture.width, picture.height)


def _was_upright(picture: Picture, orientation: int, upright: bool, tall: bool | None) -> bool:
    """Tell whether boxes were drawn on the upright picture, and not on the pixels as stored."""
    lies = orientation >= _LYING and picture.width != picture.height
    return upright or (lies and tall == (picture.height > picture.width))


def _tells_turn(picture: Picture, orientation: int, tall: bool | None) -> bool:
    """Tell whether the sides that labels name show which picture they mean: turned or stored."""
    if orientation == _UPRIGHT:
        return True
    return orientation >= _LYING and picture.width != picture.height and tall is not None


def _classes(boxes: Iterable[list[float]]) -> frozenset[int]:
    return frozenset(int(row[0]) for row in boxes)
