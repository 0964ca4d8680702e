"""What the pictures of a version are called in an archive: as people know them, all different."""

from pathlib import PurePosixPath

from datasets.models import DatasetImage


class ArchiveNames:
    """Gives each picture a stem; told the same pictures in the same order, it says the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def stem_of(self, image: DatasetImage) -> str:
        """Return the file's name without suffix; where that is taken, with the image's place.

        No two differ only by case: some systems unpack them onto each other.
        """
        stem = PurePosixPath(image.file_name).stem or "image"
        if stem.casefold() in self._taken:
            stem = f"{stem}~{image.position}"
        while stem.casefold() in self._taken:
            stem = f"{stem}~"
        self._taken.add(stem.casefold())
        return stem

    def file_of(self, image: DatasetImage) -> str:
        """Return the name of the picture's file, by the suffix that its kept form has."""
        return self.stem_of(image) + PurePosixPath(str(image.picture.file)).suffix
