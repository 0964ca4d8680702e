"""The storage of an installation whose files lie on a disk."""

from pathlib import Path
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import FileSystemStorage

from storage.local import parts_folder, write_whole


class DiskStorage(FileSystemStorage):
    """Django's own, but what is saved is there whole, and a power cut does not take it away.

    Rows say that a file is stored: it has to be so before they do. Names come from content or id,
    so that writing one again writes the same thing. Everything is readable by the owner alone.
    """

    def __init__(self, location: str) -> None:
        super().__init__(
            location,
            file_permissions_mode=0o600,
            directory_permissions_mode=0o700,
            allow_overwrite=True,
        )

    def _save(self, name: str, content: "File[Any] | IO[Any]") -> str:
        """Write a file; called by `save`, which has checked its name.

        Raises:
            OSError: the disk is full, or broken; what had the name before is still there.
        """
        file: Any = content
        write_whole(Path(self.path(name)), file.chunks(), parts=parts_folder(self))
        return name
