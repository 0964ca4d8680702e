"""All pictures of a project are listed once, though somebody works in it meanwhile."""

from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest

from datasets.sources.custom_vision import calls
from datasets.sources.custom_vision.listing import Listing
from tests.custom_vision.conftest import service_of
from tests.custom_vision.emulator import Answer, Asked, Emulator
from tests.custom_vision.faults import spoil

#: Two pages and a part of a third.
PICTURES = 600


@pytest.fixture(autouse=True)
def unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call the emulator as fast as it answers; test_pace.py sees to the rate."""
    monkeypatch.setattr(calls, "RATE", 10_000.0)


@pytest.fixture
def project(emulator: Emulator) -> Emulator:
    """A project of tagged pictures."""
    tag = emulator.add_tag("Bia")
    for _ in range(PICTURES):
        emulator.add_picture(b"", (64, 48), tags=[tag])
    return emulator


class Listed:
    """What a listing gave."""

    def __init__(self, emulator: Emulator, *, include_untagged: bool = False) -> None:
        service = service_of(emulator)
        self.listing = Listing(service, service.counts(), include_untagged=include_untagged)
        pages = list(self.listing.pages())
        self.kinds = {image.id: is_tagged for page, is_tagged in pages for image in page}
        self.times = Counter(image.id for page, _ in pages for image in page)
        assert set(self.times.values()) <= {1}

    def lacks(self, ids: list[str]) -> list[str]:
        """Return the pictures that were missed."""
        return [picture for picture in ids if picture not in self.kinds]


def ids_of(emulator: Emulator) -> list[str]:
    return [picture.id for picture in emulator.pictures]


def before_page(emulator: Emulator, number: int, change: Callable[[], None]) -> None:
    """Let something happen just before a page is listed."""
    pages = count(1)

    def fault(asked: Asked) -> Answer | None:
        if "skip" in asked.query and next(pages) == number:
            change()
        return None

    emulator.faults.append(fault)


class TestAtRest:
    def test_each_page_begins_with_the_last_picture_of_the_one_before(
        self, project: Emulator
    ) -> None:
        found = Listed(project)
        assert found.lacks(ids_of(project)) == []
        skips = [asked.query["skip"] for asked in project.asked if "skip" in asked.query]
        assert skips == ["0", "255", "510"]
        assert (found.listing.has_moved, found.listing.unreadable) == (False, 0)

    @pytest.mark.parametrize(
        ("pictures", "pages"), [(0, 1), (1, 1), (255, 1), (256, 2), (257, 2), (511, 3), (512, 3)]
    )
    def test_any_number_is_listed_in_one_round(
        self, emulator: Emulator, pictures: int, pages: int
    ) -> None:
        tag = emulator.add_tag("Bia")
        for _ in range(pictures):
            emulator.add_picture(b"", (64, 48), tags=[tag])
        found = Listed(emulator)
        assert (len(found.kinds), emulator.listed()) == (pictures, pages)

    @pytest.mark.parametrize("place", [0, 254, 255, 256, 511, PICTURES - 1])
    def test_a_bad_entry_costs_itself_wherever_it_stands(
        self, project: Emulator, place: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = ids_of(project)
        spoil(project, monkeypatch, [ids[place]])
        found = Listed(project)
        assert found.lacks(ids) == [ids[place]]
        assert (found.listing.has_moved, found.listing.unreadable) == (False, 1)

    def test_a_bad_entry_alone_on_the_last_page(
        self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tag = emulator.add_tag("Bia")
        for _ in range(256):
            emulator.add_picture(b"", (64, 48), tags=[tag])
        ids = ids_of(emulator)
        spoil(emulator, monkeypatch, ids[-1:])
        found = Listed(emulator)
        assert found.lacks(ids) == ids[-1:]
        assert (found.listing.has_moved, found.listing.unreadable) == (False, 1)

    def test_a_server_that_heeds_no_skip_comes_to_an_end(self, project: Emulator) -> None:
        project.faults.append(lambda asked: asked.query.pop("skip", None) and None)
        found = Listed(project)
        assert len(found.kinds) == 256
        assert found.listing.has_moved


class TestMoving:
    def test_as_many_go_as_come(self, project: Emulator) -> None:
        """The count tells nothing then: a whole part of a page moved forward, past us."""
        kept = ids_of(project)[100:]

        def change() -> None:
            project.remove(*ids_of(project)[:100])
            for _ in range(100):
                project.add_picture(b"", (64, 48), tags=list(project.tags))

        before_page(project, 2, change)
        found = Listed(project)
        assert found.lacks(kept) == []
        assert found.lacks(ids_of(project)) == []
        assert not found.listing.has_moved

    def test_as_many_are_untagged_as_are_tagged(self, project: Emulator) -> None:
        kept = ids_of(project)
        new = [project.add_picture(b"", (64, 48)).id for _ in range(50)]

        def change() -> None:
            for gone, come in zip(kept[:50], new, strict=True):
                project.tag(gone)
                project.tag(come, *project.tags)

        before_page(project, 3, change)
        assert Listed(project).lacks(kept[50:] + new) == []

    def test_an_old_picture_is_tagged_and_moves_those_behind_it_back(
        self, emulator: Emulator
    ) -> None:
        tag = emulator.add_tag("Bia")
        late = emulator.add_picture(b"", (64, 48)).id
        for _ in range(PICTURES):
            emulator.add_picture(b"", (64, 48), tags=[tag])
        before_page(emulator, 2, lambda: emulator.tag(late, tag))
        found = Listed(emulator)
        assert found.lacks(ids_of(emulator)) == []

    @pytest.mark.parametrize("page", range(1, 8))
    def test_pictures_that_change_their_kind_are_listed_once(
        self, project: Emulator, page: int
    ) -> None:
        tagged = ids_of(project)
        untagged = [project.add_picture(b"", (64, 48)).id for _ in range(PICTURES)]
        tag = next(iter(project.tags))

        def change() -> None:
            for number in range(0, PICTURES, 7):
                project.tag(tagged[number])
                project.tag(untagged[number], tag)

        before_page(project, page, change)
        found = Listed(project, include_untagged=True)
        assert found.lacks(tagged + untagged) == []

    def test_one_that_never_rests_is_read_so_often_and_no_more(self, project: Emulator) -> None:
        def churn(asked: Asked) -> Answer | None:
            if "skip" in asked.query:
                project.remove(ids_of(project)[0])
                project.add_picture(b"", (64, 48), tags=list(project.tags))
            return None

        project.faults.append(churn)
        found = Listed(project)
        assert found.listing.has_moved
        assert project.listed() == 4 * 3
