"""What one look found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    is_well: bool
    text: str

    def __str__(self) -> str:
        """Return the line as it is printed."""
        return f"{'ok' if self.is_well else 'WRONG':<6} {self.name:<9} {self.text}"


def well(name: str, text: str) -> Finding:
    """Return what is as it should be."""
    return Finding(name, True, text)


def wrong(name: str, text: str) -> Finding:
    """Return what somebody has to put right; the text says how."""
    return Finding(name, False, text)


def gib(size: float) -> str:
    """Return a number of bytes as people read it."""
    return f"{size / 1024**3:.1f} GiB"
