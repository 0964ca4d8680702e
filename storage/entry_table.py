"""What reading needs of each entry of an archive, in little memory.

The library keeps half a kilobyte of every entry, which adds up: an archive of 100,000 pictures and
their labels has 200,000.
"""

import zipfile
from array import array


class EntryTable:
    """Entries by the order in which they were added."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._offsets, self._packed, self._sizes = array("Q"), array("Q"), array("Q")
        self._sums = array("L")
        self._flags, self._methods = array("H"), array("H")

    def add(self, entry: zipfile.ZipInfo, path: str) -> int:
        """Note an entry; return its place.

        Args:
            path: what is kept of its name elsewhere; where both are the same, it is kept once.
        """
        self._names.append(path if path == entry.orig_filename else entry.orig_filename)
        self._offsets.append(entry.header_offset)
        self._packed.append(entry.compress_size)
        self._sizes.append(entry.file_size)
        self._sums.append(entry.CRC)
        self._flags.append(entry.flag_bits)
        self._methods.append(entry.compress_type)
        return len(self._names) - 1

    def __getitem__(self, place: int) -> zipfile.ZipInfo:
        """Return an entry as the library reads it."""
        entry = zipfile.ZipInfo(self._names[place])
        entry.header_offset = self._offsets[place]
        entry.compress_size = self._packed[place]
        entry.file_size = self._sizes[place]
        entry.CRC = self._sums[place]
        entry.flag_bits = self._flags[place]
        entry.compress_type = self._methods[place]
        return entry
