"""Gives every picture of an import its split and its group, and tells of leaks and what moved."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from datasets.dealing import SIDES
from datasets.known_split import known_pictures, with_groups
from datasets.leaks import Leak, grouped, leaks
from datasets.models import DatasetImage, Import
from datasets.problems import MOST_EXAMPLES, Problems
from datasets.split import Split, SplitItem, assign
from datasets.twins import Twins
from jobs import transitions
from jobs.reporter import Reporter

_ROWS = 500

Row = TypeVar("Row")


@dataclass(frozen=True)
class ImportSplit:
    """The split of one import.

    Attributes:
        rows: keys of its images, by the digest of their bytes.
    """

    job: Import
    reporter: Reporter
    problems: Problems
    rows: Mapping[str, UUID]

    def run(
        self, items: Sequence[SplitItem], hashes: Mapping[str, int], twins: Mapping[str, Twins]
    ) -> None:
        """Divide the pictures, or keep what they brought along, and write that into their rows.

        Args:
            items: all pictures, whose keys are digests.
            hashes: perceptual hashes, by digest.
            twins: further records of pictures, by digest.

        Raises:
            LeaseLost: another attempt owns the import.
            CancelRequested: a person canceled.
        """
        # Half of the way is to see what looks alike, half to write it down.
        all_steps = 2 * len(items)
        self.reporter.progress("split", 0, all_steps)
        version, keep = self.job.version, self.job.keep_splits
        known = known_pictures(version.dataset_id)
        items = with_groups(
            items, hashes, known, lambda done: self.reporter.progress("split", done, all_steps)
        )
        self.reporter.raise_if_cancelled()
        split = assign(
            items,
            ratio=version.split_ratio,
            test_ratio=version.test_ratio,
            seed=version.split_seed,
            keep=keep,
        )
        if split.is_apart:
            self.problems.add("near_duplicates_apart", count=len(items))
        if split.made_here and keep and any(item.given for item in items):
            self.problems.add("splits_made_anew", count=len(items))
        if not split.is_apart:
            # Where the split is ours, what one ZIP says of a file twice does not count.
            self._tell_leaks(leaks(items, split.of, {} if split.made_here else twins))
        self._tell_moved(known.sides, split.of)
        self._save(split, items)

    def _tell_leaks(self, found: Iterable[Leak]) -> None:
        """Report leaks; names are asked for only where they are shown."""
        for number, leak in enumerate(found):
            example = ""
            if number < MOST_EXAMPLES:
                other = leak.other_name or self._name(leak.other)
                example = f"{self._name(leak.key)} ~ {other}"
            self.problems.add("split_leak", example)

    def _tell_moved(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Report known pictures that lie on another side now, by what a ZIP brings."""
        moved = [key for key, side in before.items() if now.get(key, side) != side]
        for number, key in enumerate(moved):
            example = ""
            if number < MOST_EXAMPLES:
                example = f"{self._name(key)}: {before[key]} → {now[key]}"
            self.problems.add("known_picture_moved", example)

    def _name(self, key: str) -> str:
        names = DatasetImage.objects.values_list("file_name", flat=True)
        return str(names.get(pk=self.rows[key]))

    def _save(self, split: Split, items: Sequence[SplitItem]) -> None:
        for side in SIDES:
            members = [self.rows[key] for key, value in split.of.items() if value == side]
            for part in self._parts(members):
                DatasetImage.objects.filter(pk__in=part).update(split=side)
        numbered = [
            DatasetImage(pk=self.rows[key], group=number)
            for number, members in enumerate(grouped(items).values())
            for key in members
        ]
        for number, images in enumerate(self._parts(numbered)):
            self.reporter.progress("split", len(items) + number * _ROWS, 2 * len(items))
            DatasetImage.objects.bulk_update(images, ["group"])

    def _parts(self, rows: list[Row]) -> Iterator[list[Row]]:
        """Yield rows in short transactions, as long as the import is ours."""
        for start in range(0, len(rows), _ROWS):
            self.reporter.raise_if_cancelled()
            self.reporter.flush_if_due()
            with transitions.fenced(self.job):
                yield rows[start : start + _ROWS]
