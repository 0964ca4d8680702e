"""Plain text tables for the terminal."""

import unicodedata
from collections.abc import Sequence


def render_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose columns line up, also with Vietnamese letters."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    """Return how many columns a text takes; accents that combine take none."""
    return sum(0 if unicodedata.combining(letter) else 1 for letter in text)
