"""The file of a prepared picture: every flipped or missing byte is found."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.prepared import content, digest
from training.pixels import (
    HEAD_SIZE,
    Form,
    Head,
    PixelsDamaged,
    check_file,
    file_content,
    fitted,
    plain_length,
    scaled,
)

#: What of the head says something; the rest of it is empty.
_SAID = 104


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "picture"
    target.write_bytes(b"".join(content("a")))
    return target


def test_what_is_written_is_read_again(path: Path) -> None:
    check_file(path, digest("a"))
    head = Head.from_bytes(path.read_bytes())
    assert (head.form, head.shape, head.length) == (Form.PLAIN, (1, 16), 48)
    assert head.source == digest("a")


def test_it_is_of_the_picture_that_was_asked_for(path: Path) -> None:
    with pytest.raises(PixelsDamaged):
        check_file(path, digest("b"))


@pytest.mark.parametrize("place", [*range(_SAID), *range(HEAD_SIZE, HEAD_SIZE + 48)])
def test_each_flipped_bit_is_found(path: Path, place: int) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 1 << place % 8
    path.write_bytes(damaged)
    with pytest.raises(PixelsDamaged):
        check_file(path, digest("a"))


@pytest.mark.parametrize("length", [0, 1, 71, 72, HEAD_SIZE - 1, HEAD_SIZE, HEAD_SIZE + 47, 1000])
def test_a_cut_or_longer_file_is_found(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length].ljust(min(length, 1000), b"\0"))
    with pytest.raises(PixelsDamaged):
        check_file(path, digest("a"))


def test_pixels_and_their_shape_belong_together() -> None:
    head = Head(Form.PLAIN, digest("a"), (4, 4), (4, 4), 47)
    with pytest.raises(PixelsDamaged):
        Head.from_bytes(b"".join(file_content(head, bytes(47))))


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 64))
@settings(deadline=None)
def test_a_picture_fits_and_is_never_enlarged(height: int, width: int, steps: int) -> None:
    size = 32 * steps
    rows, columns = fitted((height, width), size)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    if max(height, width) > size:
        assert max(rows, columns) == size
    else:
        assert (rows, columns) == (height, width)
    assert max(scaled((height, width), size)) == size
    assert plain_length((rows, columns)) == rows * columns * 3
