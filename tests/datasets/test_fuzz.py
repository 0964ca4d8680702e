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
from django.conf import settings

from datasets.models import Picture
from datasets.picture_pool import PicturePool
from datasets.pictures import PictureRefused, PreparedPicture
from datasets.problems import Problems
from datasets.sources.zip import ZipSource
from jobs.errors import UserError
from jobs.states import Status
from tests.datasets import samples
from tests.datasets.fuzzing import mutated, originals
from tests.datasets.importing import Bring
from tests.datasets.said import assert_said
from tests.storage.zips import zip_of

_MUTATIONS = int(os.environ.get("FUZZ_MUTATIONS", "500"))
_SEEDS_A_TEST = 50
#: Sets that we make ourselves; behind them come cuts of the shared ones.
_OWN = 4
#: Archives that are imported whole, as a worker does.
_IMPORTS = 16
_OF_SERVERS = {"valkey", "run"}
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


@pytest.mark.parametrize("name", ["own", "of others"])
def test_each_set_that_is_mutated_is_a_good_one(name: str, pool: PicturePool) -> None:
    sets = originals()
    chosen = sets[:_OWN] if name == "own" else sets[_OWN:]
    if not chosen:
        pytest.skip("the shared data sets are not here")
    assert all(_read(zip_of(files), pool) >= 3 for files in chosen)


@pytest.mark.django_db(transaction=True)
def test_imports_write_what_their_rows_name_and_no_other_file(bring: Bring, folder: Path) -> None:
    sets = originals()
    escapes = {"../out.txt": b"", "images/../../out.jpg": samples.jpeg()}
    archives = [mutated(seed, sets) for seed in range(_IMPORTS)]
    before, outside = _files(), _around()
    statuses = set()
    for number, data in enumerate([*archives, zip_of({**sets[0], **escapes})]):
        job = bring(data, dataset_name=f"{number}")
        statuses.add(job.status)
        assert job.status == Status.SUCCEEDED or job.error["code"] != "internal"
        assert _files() - before == _named()
    assert statuses == {Status.SUCCEEDED, Status.FAILED}
    assert _around() == outside
    assert [path.name for path in sorted(folder.rglob("*"))] == ["a", "b"]


def _files() -> set[Path]:
    """Return all files of the data home but those of the servers."""
    home = Path(settings.HOME)
    found = {path for path in home.rglob("*") if path.is_file()}
    return {path for path in found if path.relative_to(home).parts[0] not in _OF_SERVERS
            and "sqlite3" not in path.name}  # fmt: skip


def _named() -> set[Path]:
    """Return the files that rows name."""
    images = Path(settings.HOME) / "storage" / "images"
    rows = Picture.objects.values_list("file", "thumbnail")
    return {images / name for row in rows for name in row}


def _around() -> set[str]:
    """Return what lies where a name that points outside would lead."""
    above = [Path(settings.HOME).parent, Path(settings.HOME).parent.parent]
    return {str(path) for parent in above for path in parent.glob("*out*")} | {
        str(path) for path in (Path("/abs.txt"), Path("/out.txt")) if path.exists()
    }


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
