"""Archives that are wrong in random ways: refused with a reason, or read; never more than that.

`make fuzz` reads 10,000 of them, the test run 500. A seed that fails is named: it fails again.
"""

import io
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from datasets.sources.zip import ZipSource
from jobs.errors import UserError
from tests.datasets.fuzzing import mutated, originals
from tests.datasets.said import assert_said

_MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "500"))
_SEEDS_A_TEST = 50
#: What one archive of some kilobytes may take.
_SECONDS, _MOST_MEMORY = 20, 300 * 1024 * 1024


@pytest.fixture
def pool() -> Iterator[PicturePool]:
    with PicturePool(processes=1) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, whose surroundings must stay as they are."""
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    return tmp_path


@pytest.mark.timeout(0)  # the alarm below belongs to each archive
@pytest.mark.parametrize("first", range(0, _MUTATIONS, _SEEDS_A_TEST))
def test_nothing_but_a_refusal_or_an_import(first: int, pool: PicturePool, folder: Path) -> None:
    sets = originals()
    before = _memory()
    for seed in range(first, min(first + _SEEDS_A_TEST, _MUTATIONS)):
        signal.alarm(_SECONDS)
        try:
            _read(mutated(seed, sets), pool)
        except Exception as error:
            raise AssertionError(f"Seed {seed} of the fuzzer is not handled.") from error
        finally:
            signal.alarm(0)
    assert [path.name for path in sorted(folder.rglob("*"))] == ["a", "b"]
    assert _memory() - before < _MOST_MEMORY


def test_most_mutations_still_say_something(pool: PicturePool) -> None:
    """The fuzzer would be worth nothing if all of its archives fell at the first check."""
    sets = originals()
    read = [_read(mutated(seed, sets), pool) for seed in range(80)]
    assert sum(pictures > 0 for pictures in read) > 30
    assert sum(pictures == 0 for pictures in read) > 5


def _read(data: bytes, pool: PicturePool) -> int:
    """Read an archive as an import does; return how many pictures came in."""
    try:
        with ZipSource(io.BytesIO(data)) as source:
            records = list(source.records())
            for record in records:
                for box in record.boxes:
                    assert 0 <= box.class_index < len(source.classes)
                    assert 0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1
            read = [(record.key, _bytes(source, record)) for record in records]
            pictures = [(key, content) for key, content in read if content]
            prepared = [result for _, result in pool.prepare(pictures)]
            _can_be_said(source.problems)
    except UserError as error:
        assert_said(error.code, error.params)
        return 0
    for result in prepared:
        if isinstance(result, PictureRefused):
            assert_said(result.code, {"count": 1})
        else:
            assert isinstance(result, PreparedPicture)
    return sum(isinstance(result, PreparedPicture) for result in prepared)


def test_what_nobody_wrote_words_for_is_no_refusal() -> None:
    for code in ("internal", "no_such_code"):
        with pytest.raises(AssertionError):
            assert_said(code, {"incident": "x"})
    with pytest.raises(AssertionError):
        assert_said("archive_encrypted", {"file": "its place is called otherwise"})


def _bytes(source: ZipSource, record: object) -> bytes | None:
    try:
        return source.read_picture(record)  # type: ignore[arg-type]
    except UserError as error:
        assert_said(error.code, error.params)
        return None  # the import leaves it out, and says so


def _can_be_said(problems: Problems) -> None:
    for row in problems.rows():
        assert_said(row["code"], {"count": row["count"]})
        assert all("\x00" not in example for example in row["examples"])


def _memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
