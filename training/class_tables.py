"""What a model does with each class, in the shape in which pages show it."""

from typing import Any

from datasets.baselines import Baseline
from datasets.gallery import COLOURS

#: Steps of shade in the confusion matrix; training.css has as many.
_SHADES = 9
#: Classes that a matrix shows: more is neither read nor drawn quickly.
_MOST_CLASSES = 40
_MOST_MIXED_UP = 5


def swatch(index: int) -> str:
    """Return the CSS class that carries a class's colour."""
    return f"class-{index % COLOURS}"


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


def confusion_rows(result: dict[str, Any], *, most: int = _MOST_CLASSES) -> dict[str, Any]:
    """Return the confusion matrix as rows of cells with a shade; the last label is background.

    Rows are what was found, columns what is really there; a cell's shade is its share of the
    column, so that rare classes are as easy to read as common ones. A matrix in which nothing was
    counted has no labels: it would say that the model never found anything.

    Args:
        most: of more classes, those with most mistakes are shown; `left_out` are the others.
    """
    labels, matrix = _confusion(result)
    if not any(map(any, matrix)):
        return {"labels": [], "rows": []}
    totals = [sum(column) for column in zip(*matrix, strict=True)]
    shown = _most_mistaken(matrix, most)
    rows = [
        {"label": labels[r], "cells": [_cell(r, c, matrix[r][c], totals[c]) for c in shown]}
        for r in shown
    ]
    return {
        "labels": [labels[index] for index in shown],
        "rows": rows,
        "left_out": len(labels) - len(shown),
    }


def mixed_up(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the classes that are taken for another most often: `name`, `taken_for`, `times`."""
    labels, matrix = _confusion(result)
    classes = range(len(labels) - 1)
    found: list[dict[str, Any]] = [
        {"name": labels[c], "taken_for": labels[r], "times": matrix[r][c]}
        for r in classes
        for c in classes
        if r != c and matrix[r][c]
    ]
    return sorted(found, key=lambda one: -one["times"])[:_MOST_MIXED_UP]


def _confusion(result: dict[str, Any]) -> tuple[list[str], list[list[int]]]:
    confusion = result.get("confusion") or {"labels": [], "matrix": []}
    return confusion["labels"], confusion["matrix"]


def _most_mistaken(matrix: list[list[int]], most: int) -> list[int]:
    """Return the indexes to show, in their order; background is always among them."""
    background = len(matrix) - 1
    wrong = {
        index: sum(matrix[index]) + sum(row[index] for row in matrix) - 2 * matrix[index][index]
        for index in range(background)
    }
    worst = sorted(wrong, key=lambda index: -wrong[index])[:most]
    return [*sorted(worst), background]


def _cell(row: int, column: int, value: int, total: int) -> dict[str, Any]:
    shade = round(_SHADES * value / total) if total else 0
    if value and not shade:
        shade = 1
    return {"value": value, "shade": shade, "is_right": row == column}
