"""Archives that strangers made: what is read, what is left out, what is refused and why."""

import io
import os
import resource
import stat
import struct
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.archives import Archive, ArchiveLimits
from storage.errors import StorageError
from tests.storage import zips

MIB = 1024 * 1024


def opened(data: bytes, limits: ArchiveLimits | None = None) -> Archive:
    return Archive(io.BytesIO(data), limits)


def refusal(data: bytes, limits: ArchiveLimits | None = None) -> StorageError:
    with pytest.raises(StorageError) as caught:
        opened(data, limits)
    return caught.value


def paths(archive: Archive) -> list[str]:
    return [member.path for member in archive.members]


class TestReading:
    def test_members_come_with_their_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.zip"
        path.write_bytes(zips.zip_of({"images/a.jpg": b"picture", "labels/a.txt": "0 1"}))
        with Archive(path) as archive:
            assert paths(archive) == ["images/a.jpg", "labels/a.txt"]
            assert archive.read(archive.members[0], limit=100) == b"picture"

    def test_a_member_is_streamed_in_chunks(self) -> None:
        content = os.urandom(3 * MIB)
        archive = opened(zips.zip_of({"a.jpg": content}))
        chunks = list(archive.chunks(archive.members[0], size=MIB))
        assert b"".join(chunks) == content
        assert max(len(chunk) for chunk in chunks) <= MIB

    def test_a_member_over_the_callers_limit_is_not_unpacked(self) -> None:
        archive = opened(zips.zip_of({"a.jpg": b"x" * 1000}))
        with pytest.raises(StorageError) as caught:
            archive.read(archive.members[0], limit=999)
        assert caught.value.code == "archive_member_too_large"

    def test_folders_and_what_systems_leave_behind_are_passed_over(self) -> None:
        names = ["images/", "__MACOSX/images/._a.jpg", "images/.DS_Store", "images/Thumbs.db"]
        archive = opened(zips.zip_of_pairs([(n, b"") for n in names] + [("images/a.jpg", b"x")]))
        assert paths(archive) == ["images/a.jpg"]
        assert archive.left_out == ()

    def test_archives_inside_are_never_opened_but_listed(self) -> None:
        archive = opened(zips.zip_of({"more.zip": zips.zip_of({"b.jpg": b"x"}), "a.jpg": b"x"}))
        assert paths(archive) == ["a.jpg"]
        assert [(left.code, left.path) for left in archive.left_out] == [
            ("nested_archive", "more.zip")
        ]

    def test_bytes_before_the_archive_do_not_matter(self) -> None:
        assert paths(opened(b"#!/bin/self-extractor" + zips.zip_of({"a.jpg": b"x"}))) == ["a.jpg"]


class TestNames:
    def test_backslashes_of_windows_programs_separate_folders(self) -> None:
        assert paths(opened(zips.zip_of({"images\\a.jpg": b"x"}))) == ["images/a.jpg"]

    def test_dots_and_double_slashes_say_nothing(self) -> None:
        assert paths(opened(zips.zip_of({"./images//a.jpg": b"x"}))) == ["images/a.jpg"]

    @pytest.mark.parametrize("name", ["./", ".\\", ".//", "././"])
    def test_the_folder_that_is_the_archive_itself_is_passed_over(self, name: str) -> None:
        archive = opened(zips.zip_of_pairs([(name, b""), ("./a.jpg", b"x")]))
        assert paths(archive) == ["a.jpg"]
        assert archive.left_out == ()

    def test_names_that_differ_by_case_are_two_files(self) -> None:
        assert paths(opened(zips.zip_of({"A.jpg": b"x", "a.jpg": b"y"}))) == ["A.jpg", "a.jpg"]

    def test_decomposed_vietnamese_is_composed(self) -> None:
        name = "ảnh/Bia Việt Nam.jpg"
        archive = opened(zips.zip_of({unicodedata.normalize("NFD", name): b"x"}))
        assert paths(archive) == [name]

    def test_of_two_files_with_one_name_the_first_is_kept(self) -> None:
        composed, decomposed = "Việt.jpg", unicodedata.normalize("NFD", "Việt.jpg")
        archive = opened(zips.zip_of({composed: b"first", decomposed: b"second"}))
        assert archive.read(archive.members[0], limit=10) == b"first"
        assert [left.code for left in archive.left_out] == ["same_name"]

    @pytest.mark.parametrize(
        ("name", "encoding"),
        [("ảnh_việt.jpg", "utf-8"), ("图片文件.jpg", "gbk"), ("Größe.jpg", "cp437")],
    )
    def test_names_without_the_utf8_flag_are_read_as_they_were_meant(
        self, name: str, encoding: str
    ) -> None:
        assert paths(opened(zips.raw_names([name.encode(encoding)]))) == [name]

    @pytest.mark.parametrize(
        "name",
        ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg", "c:evil.jpg",
         "..\\evil.jpg", "\\\\host\\evil.jpg", "a/..", "x" * 4096, "/", ".", "./..", "//"],
    )  # fmt: skip
    def test_a_name_that_points_outside_refuses_the_archive(self, name: str) -> None:
        error = refusal(zips.zip_of({"good.jpg": b"x", name: b"evil"}))
        assert error.code == "archive_unsafe_name"
        assert len(error.params["name"]) <= 100

    def test_a_name_with_a_zero_byte_refuses_the_archive(self) -> None:
        data = zips.zip_of({"evil.jpg~.txt": b"x"}).replace(b"evil.jpg~", b"evil.jpg\0")
        assert refusal(data).code == "archive_unsafe_name"

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
            max_size=5,
        )
    )
    def test_accepted_paths_never_lead_outside(self, names: list[str]) -> None:
        try:
            archive = opened(zips.zip_of_pairs([("a.jpg", b""), *((n, b"") for n in names)]))
        except StorageError as error:
            assert error.code == "archive_unsafe_name"
            return
        for path in paths(archive):
            assert os.path.normpath(f"/store/{path}").startswith("/store/") and "\0" not in path


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "archive_empty_file"),
            (b"just some text", "archive_not_zip"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:26\n", "archive_lfs_pointer"),
            (b"Rar!\x1a\x07\x01\x00" + b"x" * 100, "archive_other_format"),
            (b"7z\xbc\xaf\x27\x1c" + b"x" * 100, "archive_other_format"),
            (zips.zip_of({}), "archive_without_files"),
        ],
        ids=["empty", "text", "git-lfs", "rar", "7z", "no-entries"],
    )
    def test_what_is_no_archive_says_what_it_is(self, data: bytes, code: str) -> None:
        assert refusal(data).code == code

    @pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
    def test_a_truncated_archive_is_refused_before_it_is_read(self, kept: float) -> None:
        data = zips.zip_of({f"{i}.jpg": os.urandom(1000) for i in range(20)})
        assert refusal(data[: int(len(data) * kept)]).code == "archive_truncated"

    def test_a_hole_in_the_middle_is_noticed(self) -> None:
        data = zips.zip_of({f"{i}.jpg": os.urandom(1000) for i in range(20)})
        assert refusal(data[:5000] + data[9000:]).code in {"archive_truncated", "archive_overlap"}

    def test_changed_bytes_in_a_member_are_noticed_when_it_is_read(self) -> None:
        data = zips.zip_of({"a.jpg": b"content"}, method=zipfile.ZIP_STORED)
        archive = opened(data.replace(b"content", b"c0ntent"))
        with pytest.raises(StorageError) as caught:
            archive.read(archive.members[0], limit=100)
        assert caught.value.code == "archive_member_damaged"

    def test_a_locked_archive(self) -> None:
        assert refusal(zips.encrypted(zips.zip_of({"a.jpg": b"x"}))).code == "archive_encrypted"

    @pytest.mark.parametrize(
        "kind",
        [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK],
        ids=["link", "pipe", "character-device", "block-device", "socket"],
    )
    def test_links_and_devices(self, kind: int) -> None:
        data = zips.zip_of_pairs([(zips.special_entry("evil.jpg", kind), b"/etc/passwd")])
        assert refusal(data).code == "archive_special_file"

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_packing_that_cannot_be_unpacked_in_bounded_memory(self, method: int) -> None:
        assert refusal(zips.zip_of({"a.jpg": b"x"}, method=method)).code == "archive_method"


class TestBombs:
    """Each is refused in seconds, and memory stays small."""

    @pytest.fixture(autouse=True)
    def _quickly_in_little_memory(self) -> object:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        yield
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert time.process_time() - start < 5
        assert grown < 300 * 1024

    def test_one_entry_that_swells(self) -> None:
        bomb = zips.zip_of({"a.bmp": bytes(64 * MIB)})
        assert refusal(bomb).code == "archive_bomb"

    def test_many_small_entries_that_swell_together(self) -> None:
        bomb = zips.zip_of({f"{i}.txt": bytes(MIB - 1) for i in range(64)})
        assert refusal(bomb).code == "archive_bomb"

    def test_equal_lines_in_a_label_are_no_bomb(self) -> None:
        archive = opened(zips.zip_of({"a.txt": "0 0.5 0.5 0.1 0.1\n" * 20_000, "a.jpg": b"x"}))
        assert len(archive.members) == 2

    def test_too_much_in_total(self) -> None:
        data = zips.zip_of({f"{i}.jpg": os.urandom(1000) for i in range(20)})
        error = refusal(data, ArchiveLimits(total_bytes=19_999))
        assert error.code == "archive_too_large"

    def test_more_entries_than_a_large_set_has(self) -> None:
        listing = b"".join(_entry(f"{i:06d}.txt".encode()) for i in range(250_001))
        error = refusal(listing + _end(0xFFFF, len(listing)))
        assert error.code == "archive_too_many_entries"
        assert error.params == {"entries": 250_001, "limit": 250_000}

    def test_two_hundred_thousand_entries_are_one_labelled_set(self) -> None:
        names = (f"labels/{i:06d}.txt" for i in range(200_001))
        archive = opened(zips.many_files((name, name.encode()) for name in names))
        assert len(archive.members) == 200_001
        last = archive.members[-1]
        assert archive.read(last, limit=100) == b"labels/200000.txt" == last.path.encode()

    def test_a_million_entries_behind_a_false_count(self) -> None:
        listing = _entry(b"a.txt") * 1_000_000
        assert refusal(listing + _end(3, len(listing))).code == "archive_too_many_entries"

    def test_entries_that_share_their_bytes(self) -> None:
        bomb = zips.overlapping(1000, os.urandom(10_000))
        assert refusal(bomb).code == "archive_overlap"

    def test_an_entry_longer_than_it_claims(self) -> None:
        data = zips.zip_of({"a.jpg": os.urandom(1000)})
        archive = opened(zips.patched(data, offset=24, value=struct.pack("<L", 10)))
        with pytest.raises(StorageError) as caught:
            archive.read(archive.members[0], limit=100)
        assert caught.value.code == "archive_member_damaged"

    def test_an_entry_shorter_than_it_claims(self) -> None:
        data = zips.zip_of({"a.jpg": os.urandom(1000)})
        archive = opened(zips.patched(data, offset=24, value=struct.pack("<L", 1001)))
        with pytest.raises(StorageError) as caught:
            archive.read(archive.members[0], limit=2000)
        assert caught.value.code == "archive_member_damaged"


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_broken_archive_gives_a_clean_error_or_its_true_bytes(data: st.DataObject) -> None:
    """Bytes changed anywhere: a StorageError, or exactly what was packed; nothing else."""
    content = b"0 0.5 0.5 0.2 0.2\n" * 20
    archive = bytearray(zips.zip_of({"labels/a.txt": content, "b.txt": content}))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(archive) - 1))
        archive[at] = data.draw(st.integers(0, 255))
    try:
        reader = opened(bytes(archive))
        for member in reader.members:
            assert reader.read(member, limit=MIB) == content
    except StorageError:
        pass


def _entry(name: bytes) -> bytes:
    header = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0,
                         len(name), 0, 0, 0, 0, 0, 0)  # fmt: skip
    return header + name


def _end(claimed: int, size: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, claimed, claimed, size, 0, 0)
