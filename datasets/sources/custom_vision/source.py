"""A project of Custom Vision as a source of pictures and labels."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from datasets import names
from datasets.problems import Problems
from datasets.sources.base import Counted, PictureRecord, SourceLost
from datasets.sources.custom_vision.baselines import published
from datasets.sources.custom_vision.downloads import PictureClient
from datasets.sources.custom_vision.fetcher import Fetcher
from datasets.sources.custom_vision.labels import GENERAL_PRODUCT, NEGATIVE, Labels
from datasets.sources.custom_vision.listing import Listing
from datasets.sources.custom_vision.pages import Pages
from datasets.sources.custom_vision.prefetch import PicturesAway, Prefetch
from datasets.sources.custom_vision.reconcile import Listed, differences
from datasets.sources.custom_vision.remote import Baseline, RemoteImage
from datasets.sources.custom_vision.service import MAX_PAGE, Service
from jobs.errors import UserError

#: Tells which of some pictures are here already: those are not fetched again.
Known = Callable[[Sequence[str]], Mapping[str, str]]
#: Records that were listed and not asked for yet; beyond it no page is listed ahead.
_MOST_WAITING = 2 * MAX_PAGE


class CustomVisionSource:
    """A project: listed page by page, its pictures fetched while the last ones are worked on.

    Attributes:
        baselines: what its published iterations reach; known once it is closing.
    """

    layout: Mapping[str, Any]
    classes: tuple[str, ...]
    total: int

    def __init__(
        self,
        service: Service,
        pictures: PictureClient,
        *,
        include_untagged: bool,
        known: Known,
        before_wait: Callable[[], None],
    ) -> None:
        """Ask what the project is and holds.

        Args:
            include_untagged: take pictures without a tag as pictures with nothing on them.
            known: see Known.
            before_wait: called while a picture is waited for; what it raises ends the work.

        Raises:
            UserError: why it cannot be imported.
        """
        self.problems = Problems()
        self._service, self._known, self._before_wait = service, known, before_wait
        self._include_untagged = include_untagged
        self._project, self._counts = service.project(), service.counts()
        self._labels = Labels(service.tags(), self.problems)
        self.classes = self._class_names()
        untagged = self._counts.untagged
        self.total = self._counts.tagged + (untagged if include_untagged else 0)
        self._listed = Listed()
        self.layout = self._describe()
        self._report_choices()
        self.baselines: list[Baseline] = []
        self._fetcher = Fetcher(service, pictures)
        self._prefetch = Prefetch(self._fetcher.fetch, self._renewed, before_wait)
        self._listing = Listing(service, self._counts, include_untagged=include_untagged)
        self._pages = Pages(self._listing)
        self._waiting: deque[PictureRecord] = deque()
        self._digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._fetcher.stop()
        self._pages.end()
        self._prefetch.end()

    def records(self) -> Iterator[PictureRecord]:
        """Yield the pictures, the oldest first; the next page is listed meanwhile."""
        while self._waiting or self._take_in_page():
            if self._waiting:
                yield self._waiting.popleft()
        if self._listing.unreadable:
            self.problems.add("remote_picture_unreadable", count=self._listing.unreadable)
        if self._listing.has_moved:
            self.problems.add("custom_vision_moved")

    def digest_of(self, record: PictureRecord) -> str | None:
        """Return the digest of a picture that is here already."""
        return self._digests.pop(record.key, None)

    def read_picture(self, record: PictureRecord) -> bytes:
        """Return the bytes of a picture.

        Raises:
            SourceLost: no picture can be had any more.
            UserError: it cannot be had; the others still can.
        """
        self._look_ahead()
        try:
            return self._prefetch.read(record.key)
        except PicturesAway as error:
            raise SourceLost("custom_vision_away") from error

    def closing(self, counted: Counted) -> None:
        """Compare what came in with Custom Vision's own counts, and ask for its own models.

        Raises:
            UserError: Custom Vision does not tell its counts.
        """
        rows = differences(
            self._service,
            self._labels,
            self._listed,
            counted,
            self.classes,
            with_untagged=self._include_untagged,
        )
        for row in rows:
            if row["differs"]:
                example = f"{row['name'] or row['what']}: {row['theirs']} ≠ {row['ours']}"
                self.problems.add("custom_vision_difference", example)
        self.layout = {**self.layout, "reconciliation": rows}
        self.baselines = published(self._service, self.problems)

    def _look_ahead(self) -> None:
        """Begin with the next page, so that no connection is idle while the last pictures come."""
        has_room = self._prefetch.has_room and len(self._waiting) < _MOST_WAITING
        if not self._pages.is_there or not has_room:
            return
        try:
            self._take_in_page()
        except UserError as error:
            # It is not the picture that cannot be had.
            raise SourceLost(error.code, **error.params) from error

    def _take_in_page(self) -> bool:
        """Note the next page and begin to fetch its pictures; False after the last."""
        self._before_wait()
        found = self._pages.next()
        if found is None:
            return False
        page, is_tagged = found
        here = self._known([image.id for image in page])
        self._digests.update(here)
        self._waiting += [self._record(image, is_tagged=is_tagged) for image in page]
        for image in page:
            if image.id not in here:
                self._prefetch.want(image.id, image.uri)
        return True

    def _record(self, image: RemoteImage, *, is_tagged: bool) -> PictureRecord:
        with self.problems.watched() as odd:
            state, boxes = self._labels.read(image, is_tagged=is_tagged)
        self._listed.add(image)
        is_square = image.width == image.height
        return PictureRecord(
            key=image.id,
            file_name=names.file_name(image.id),
            split=None,
            state=state,
            boxes=boxes,
            tall=None if is_square else image.height > image.width,
            turn_unknown=True,
            problems=frozenset(odd),
        )

    def _renewed(self, ids: Sequence[str]) -> dict[str, str]:
        """Return fresh addresses (Service.again).

        Raises:
            SourceLost: nor can pictures be had, then.
        """
        try:
            return self._service.again(ids)
        except UserError as error:
            raise SourceLost(error.code, **error.params) from error

    def _class_names(self) -> tuple[str, ...]:
        given = self._labels.class_names
        if not given:
            raise UserError("custom_vision_no_tags")
        if len(given) > names.MAX_CLASSES:
            raise UserError("too_many_classes", count=len(given), limit=names.MAX_CLASSES)
        return names.class_names(given, self.problems)

    def _describe(self) -> dict[str, Any]:
        return {
            "format": "custom_vision",
            "name": names.printable(self._project.name)[:100],
            "domain": names.printable(self._project.domain)[:100],
            "pictures": self.total,
            "tagged": self._counts.tagged,
            "untagged": self._counts.untagged,
            "classes": len(self.classes),
        }

    def _report_choices(self) -> None:
        if self._counts.untagged and not self._include_untagged:
            self.problems.add("untagged_left_out", count=self._counts.untagged)
        for tag in self._labels.tags:
            if tag.kind == GENERAL_PRODUCT:
                self.problems.add("general_product", names.printable(tag.name))
            elif tag.kind == NEGATIVE and tag.images:
                self.problems.add("negative_tag", names.printable(tag.name), tag.images)
