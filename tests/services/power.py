"""A disk that loses its power: an image of ext4, mounted; what is only in memory is not in a copy.

Needs root, loop devices and mkfs.ext4.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

_SIZE = 256 * 1024**2


class Unavailable(Exception):
    """It cannot run here; the text says why."""


class Disk:
    """A disk of its own.

    Args:
        folder: for its image, and for what is left of it after a cut.
    """

    def __init__(self, folder: Path) -> None:
        self._image, self.root = folder / "disk.img", folder / "disk"
        self._after, self._left = folder / "after.img", folder / "after"
        self._mounted: list[Path] = []
        with self._image.open("wb") as image:
            image.truncate(_SIZE)
        # The kernel commits by itself every 5 s: no test shall pass because of that.
        try:
            _do("mkfs.ext4", "-q", "-F", str(self._image))
            self._mount(self._image, self.root, "loop,commit=300")
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"No disk can be mounted here: {error}") from error

    def cut(self) -> Path:
        """Return what is found on it where the power fails at this very moment."""
        shutil.copyfile(self._image, self._after)
        self._mount(self._after, self._left, "loop")
        return self._left

    def end(self) -> None:
        """Take it away."""
        for folder in self._mounted:
            with suppress(subprocess.CalledProcessError):
                _do("umount", str(folder))

    def _mount(self, image: Path, folder: Path, options: str) -> None:
        folder.mkdir()
        _do("mount", "-o", options, str(image), str(folder))
        self._mounted.append(folder)


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
