"""Files in memory, for the tests of the formats."""

from collections.abc import Iterator, Mapping, Sequence

from datasets.formats.base import LabelledPictures
from datasets.formats.registry import understand
from datasets.problems import Problems
from datasets.sources.base import PictureRecord
from jobs.errors import UserError

#: A box in the middle of a picture.
BOX = "0 0.5 0.5 0.2 0.2\n"


class MemoryTree:
    """A tree of files that are texts; pictures need no content here."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        self.paths: Sequence[str] = tuple(self._files)
        #: What was read, in order.
        self.reads: list[str] = []

    def size(self, path: str) -> int:
        return len(self._files[path])

    def chunks(self, path: str) -> Iterator[bytes]:
        for start in range(0, len(self._files[path]), 100):
            yield self._files[path][start : start + 100]

    def read(self, path: str, limit: int) -> bytes:
        self.reads.append(path)
        if len(self._files[path]) > limit:
            raise UserError("archive_member_too_large", name=path, limit=limit)
        return self._files[path]


class Understood:
    """What became of a tree: records by key, and problems by code."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._problems = Problems()
        self.tree = MemoryTree(files)
        self.dataset: LabelledPictures = understand(self.tree, self._problems)
        self.records: dict[str, PictureRecord] = {r.key: r for r in self.dataset.records()}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.dataset.classes

    @property
    def splits(self) -> dict[str, str | None]:
        return {key: record.split for key, record in self.records.items()}

    @property
    def problems(self) -> dict[str, int]:
        return {row["code"]: row["count"] for row in self._problems.rows()}

    def examples(self, code: str) -> list[str]:
        return next(row["examples"] for row in self._problems.rows() if row["code"] == code)
