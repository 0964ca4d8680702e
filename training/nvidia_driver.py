"""The version of the NVIDIA driver, without a program or library that may not be there."""

import re
from pathlib import Path

_FILE = Path("/proc/driver/nvidia/version")


def driver_version(path: Path = _FILE) -> str | None:
    """Return the version as the kernel tells it, or None where there is no such driver."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d[\d.]+)", text)
    return found[1] if found else None
