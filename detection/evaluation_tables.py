"""What an evaluation found, in the shape in which its page shows it."""

from typing import Any

from datasets.baselines import Baseline
from detection.rendering import PALETTE

#: Steps of shade in the confusion matrix; detection.css has as many.
_SHADES = 9


def swatch(index: int) -> str:
    """Return the CSS class that carries a class's colour."""
    return f"class-{index % len(PALETTE)}"


def class_lines(
    result: dict[str, Any], names: list[str], baseline: Baseline | None = None
) -> list[dict[str, Any]]:
    """Return a line a class: true and predicted counts beside the field's figures.

    Args:
        baseline: what the figures are compared with.
    """
    counted = {row["class_name"]: row for row in result.get("counts", {}).get("per_class", [])}
    measured = {row["class_name"]: row for row in result.get("per_class", [])}
    lines = []
    for index, name in enumerate(names):
        counts = counted.get(name, {"true": 0, "predicted": 0})
        line = {"name": name, "css": swatch(index), "figures": measured.get(name, {}), **counts}
        line["baseline"] = _compared_with(baseline, name)
        lines.append({**line, "difference": counts["predicted"] - counts["true"]})
    return lines


def figure_lines(
    per_class: list[dict[str, Any]], baseline: Baseline | None = None
) -> list[dict[str, Any]]:
    """Return a line a class: what a model reaches, and what it is compared with."""
    return [
        {**row, "css": swatch(index), "baseline": _compared_with(baseline, row["class_name"])}
        for index, row in enumerate(per_class)
    ]


def _compared_with(baseline: Baseline | None, name: str) -> Any:
    return baseline.by_class.get(name, {}) if baseline else {}


def confusion_rows(result: dict[str, Any]) -> dict[str, Any]:
    """Return the confusion matrix as rows of cells with a shade; the last label is background.

    Rows are what was found, columns what is really there; a cell's shade is its share of the
    column, so that rare classes are as easy to read as common ones. A matrix in which nothing was
    counted has no labels: it would say that the model never found anything.
    """
    confusion = result.get("confusion") or {"labels": [], "matrix": []}
    matrix: list[list[int]] = confusion["matrix"]
    if not any(map(any, matrix)):
        return {"labels": [], "rows": []}
    totals = [sum(column) for column in zip(*matrix, strict=True)]
    rows = [
        {"label": label, "cells": [_cell(r, c, row[c], totals[c]) for c in range(len(row))]}
        for r, (label, row) in enumerate(zip(confusion["labels"], matrix, strict=True))
    ]
    return {"labels": confusion["labels"], "rows": rows}


def _cell(row: int, column: int, value: int, total: int) -> dict[str, Any]:
    shade = round(_SHADES * value / total) if total else 0
    if value and not shade:
        shade = 1
    return {"value": value, "shade": shade, "is_right": row == column}
