"""Measures a model on a split of a version: the field's figures, and counts that people can use."""

from collections import Counter
from typing import Any

from datasets.materialize import materialize, write_data_yaml
from datasets.models import DatasetImage
from detection import counts
from detection.detect import load_model
from detection.models import Evaluation
from detection.pictures import open_stored
from detection.yolo import LoadedModel, Measurement, ModelCache
from jobs.reporter import Reporter
from jobs.runner import Commit
from jobs.work_folder import work_folder

_WORST = 12
_CHUNK = 8


def evaluate(evaluation: Evaluation, reporter: Reporter, models: ModelCache) -> Commit:
    """Measure, and return the write of the result.

    Raises:
        UserError: `weights_refused`.
        StorageError: the disk is full, or a stored file is missing.
    """
    model = load_model(evaluation.model, models)
    reporter.progress("prepare", 0, 2)
    with work_folder(evaluation) as folder:
        data = folder / "data"
        names = materialize(
            evaluation.dataset_version,
            data,
            splits=(evaluation.split,),
            on_chunk=lambda _: reporter.raise_if_cancelled(),
        )
        data_yaml = write_data_yaml(data, names, splits=(evaluation.split,))
        reporter.raise_if_cancelled()
        reporter.progress("measure", 0, 2)
        measured = model.measure(
            data_yaml, split=evaluation.split, iou=evaluation.iou, folder=folder / "out"
        )
    reporter.progress("count", 1, 2)
    pictures = _compare_counts(evaluation, reporter, model)
    result = {**_figures(evaluation, measured), **_counted(pictures)}

    def commit() -> None:
        Evaluation.objects.filter(pk=evaluation.pk).update(result=result)

    return commit


def _figures(evaluation: Evaluation, measured: Measurement) -> dict[str, Any]:
    names = evaluation.model.classes
    boxes: Counter[int] = Counter()
    for row in _rows(evaluation).values_list("boxes", flat=True).iterator():
        boxes.update(int(box[0]) for box in row)
    per_class = [
        {
            "class_name": name,
            **dict(zip(_CLASS_FIGURES, _rounded(measured.by_class.get(index)), strict=True)),
            "boxes": boxes[index],
        }
        for index, name in enumerate(names)
    ]
    figures = {
        "precision": measured.precision,
        "recall": measured.recall,
        "map50": measured.map50,
        "map50_95": measured.map50_95,
    }
    return {
        "metrics": {name: round(value, 5) for name, value in figures.items()},
        "per_class": per_class,
        "confusion": {"labels": [*names, "background"], "matrix": measured.matrix},
    }


_CLASS_FIGURES = ("precision", "recall", "ap50", "ap50_95")


def _rounded(values: tuple[float, ...] | None) -> list[float | None]:
    """Return a class's figures; a class without a box in the split has none."""
    return [None] * len(_CLASS_FIGURES) if values is None else [round(v, 5) for v in values]


def _rows(evaluation: Evaluation) -> Any:
    return DatasetImage.objects.filter(
        version=evaluation.dataset_version, split=evaluation.split
    ).order_by("position")


def _compare_counts(
    evaluation: Evaluation, reporter: Reporter, model: LoadedModel
) -> list[dict[str, Any]]:
    """Return true and found counts of each picture, at the confidence of the evaluation."""
    rows = _rows(evaluation).select_related("picture")
    names, compared = evaluation.model.classes, []
    chunk: list[DatasetImage] = []
    for row in rows.iterator(chunk_size=_CHUNK):
        chunk.append(row)
        if len(chunk) == _CHUNK:
            compared += _compare(chunk, model, evaluation, names)
            chunk = []
            reporter.raise_if_cancelled()
    return compared + (_compare(chunk, model, evaluation, names) if chunk else [])


def _compare(
    chunk: list[DatasetImage], model: LoadedModel, evaluation: Evaluation, names: list[str]
) -> list[dict[str, Any]]:
    pixels = [open_stored(row.picture.file) for row in chunk]
    found = model.predict(pixels, iou=evaluation.iou)
    return [
        _compared(row, counts.above(one.objects, evaluation.conf), names)
        for row, one in zip(chunk, found, strict=True)
    ]


def _compared(row: DatasetImage, objects: list[Any], names: list[str]) -> dict[str, Any]:
    true = counts.count(row.boxes, names)
    found = counts.count(objects, names)
    difference = sum(abs(true.get(n, 0) - found.get(n, 0)) for n in true.keys() | found.keys())
    return {
        "image": str(row.pk),
        "file_name": row.file_name,
        "difference": difference,
        "true": true,
        "predicted": found,
    }


def _counted(pictures: list[dict[str, Any]]) -> dict[str, Any]:
    worst = sorted(pictures, key=lambda one: -one["difference"])[:_WORST]
    names = dict.fromkeys(n for one in pictures for n in (*one["true"], *one["predicted"]))
    return {
        "counts": {
            "images": len(pictures),
            "images_right": sum(not one["difference"] for one in pictures),
            "per_class": [
                {
                    "class_name": name,
                    "true": sum(one["true"].get(name, 0) for one in pictures),
                    "predicted": sum(one["predicted"].get(name, 0) for one in pictures),
                }
                for name in names
            ],
        },
        "worst_images": [one for one in worst if one["difference"]],
    }
