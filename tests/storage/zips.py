"""ZIP archives as bytes, honest and hostile, for the tests of everything that reads them."""

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping

Content = bytes | str


def zip_of(files: Mapping[str, Content], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an ordinary archive."""
    return zip_of_pairs(files.items(), method=method)


def zip_of_pairs(
    pairs: Iterable[tuple[str | zipfile.ZipInfo, Content]], *, method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return an archive in which a name may come twice, or an entry be made by hand."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content in pairs:
            # Without the time of the day: the same files make the same bytes.
            entry = zipfile.ZipInfo(name) if isinstance(name, str) else name
            archive.writestr(entry, content, compress_type=method)
    return buffer.getvalue()


def many_files(pairs: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an archive of very many small files, unpacked: written by hand, for it is quick."""
    packed, listing, count = bytearray(), bytearray(), 0
    for name, content in pairs:
        path = name.encode()
        # Version, UTF-8, stored, midnight of the first day that there is, sum, sizes, lengths.
        sizes = (zlib.crc32(content), len(content), len(content), len(path), 0)
        common = struct.pack("<5H3L2H", 20, 0x800, 0, 0, 33, *sizes)
        listing += b"PK\1\2" + struct.pack("<H", 20) + common
        listing += struct.pack("<3H2L", 0, 0, 0, 0, len(packed)) + path
        packed += b"PK\3\4" + common + path + content
        count += 1
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listing),
                       len(packed))  # fmt: skip
    found_at = len(packed) + len(listing)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, found_at, 1)
    most = 0xFFFF
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(count, most), min(count, most),
                      len(listing), len(packed), 0)  # fmt: skip
    return bytes(packed + listing) + wide + locator + end


def special_entry(name: str, mode: int) -> zipfile.ZipInfo:
    """Return an entry with a file type, as `stat.S_IFLNK`."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (mode | 0o644) << 16
    return entry


def raw_names(names: Iterable[bytes], content: bytes = b"x") -> bytes:
    """Return an archive with names of any bytes and no UTF-8 flag."""
    names = list(names)
    stand_ins = [f"{i:06d}".encode() + b"~" * (len(name) - 6) for i, name in enumerate(names)]
    short = [name for name in names if len(name) < 6]
    assert not short, "names of at least six bytes, please"
    data = zip_of_pairs(((s.decode(), content) for s in stand_ins), method=zipfile.ZIP_STORED)
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in, name)
    return data


def patched(data: bytes, *, offset: int, value: bytes) -> bytes:
    """Return an archive with bytes changed in the list entry of its first file."""
    at = data.index(b"PK\1\2") + offset
    return data[:at] + value + data[at + len(value) :]


def encrypted(data: bytes) -> bytes:
    """Return an archive whose first entry says that it is locked."""
    return patched(data, offset=8, value=struct.pack("<H", 1))


def overlapping(copies: int, kernel: bytes) -> bytes:
    """Return an archive whose list names the same packed bytes many times over."""
    data = zip_of({"000000.jpg": kernel})
    at = data.index(b"PK\1\2")
    end = data.rindex(b"PK\5\6")
    entry = data[at:end]
    listing = b"".join(entry.replace(b"000000", f"{i:06d}".encode()) for i in range(copies))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, copies, copies, len(listing), at, 0)
    return data[:at] + listing + tail
