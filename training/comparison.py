"""Two to six runs beside one another: figures, classes, parameters, data, machine, and curves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from training.comparison_curves import Curve, curves_of
from training.gpu_classes import CPU
from training.models import TrainingRun
from training.option import Text
from training.options import OPTIONS, has_no_effect
from training.provenance import data, start_label

FEWEST, MOST = 2, 6

_FIGURES: tuple[tuple[str, Text], ...] = (
    ("map50", "mAP50"),
    ("map50_95", "mAP50-95"),
    ("precision", _("Precision")),
    ("recall", _("Recall")),
)
#: What a run may have settled otherwise than it was asked for.
_USED: tuple[tuple[str, Text], ...] = (
    ("batch", _("Batch size, as used")),
    ("optimizer", _("Optimizer, as used")),
    ("lr0", _("Initial learning rate, as used")),
    ("amp", _("Mixed precision")),
)
_DATA: tuple[tuple[str, Text], ...] = (
    ("dataset", _("Dataset")),
    ("number", _("Version")),
    ("fingerprint", _("Fingerprint")),
    ("train", _("Training pictures")),
    ("val", _("Validation pictures")),
    ("boxes", _("Boxes")),
    ("classes", _("Classes")),
)


@dataclass(frozen=True)
class Row:
    """One thing in all runs.

    Attributes:
        values: in the order of the runs; None where it is not known.
        best: indexes of the runs that are better than another one.
        no_effect: indexes of the runs in which the value changed nothing.
    """

    name: str
    label: Text
    values: list[Any]
    best: list[int] = field(default_factory=list)
    no_effect: list[int] = field(default_factory=list)

    @property
    def is_different(self) -> bool:
        """Whether two runs of which it is known differ in it."""
        known = [value for value in self.values if value is not None]
        return any(value != known[0] for value in known)


@dataclass(frozen=True)
class Comparison:
    """Runs of one project in the order in which they were asked for.

    Attributes:
        runs: with their model, start model, version, its dataset and classes.
    """

    runs: list[TrainingRun]

    @cached_property
    def curves(self) -> list[Curve]:
        """What each epoch of each run measured."""
        return curves_of(self.runs)

    @property
    def is_active(self) -> bool:
        """Whether one of the runs has not ended, so that there is more to come."""
        return any(run.is_active for run in self.runs)

    @property
    def figures(self) -> list[Row]:
        """The figures of the best epochs, counts first; for a run that is on, so far."""
        found = [run.best or {} for run in self.runs]
        right = _row("counts_right", _("Counts right"), [_share_right(best) for best in found])
        rows = [_row(name, label, [best.get(name) for best in found]) for name, label in _FIGURES]
        return [right, *rows]

    @property
    def classes(self) -> list[Row]:
        """AP50 of each class that one of the runs knows."""
        known = [_ap_by_class(run) for run in self.runs]
        names = dict.fromkeys(name for classes in known for name in classes)
        return [_row(name, name, [classes.get(name) for classes in known]) for name in names]

    @property
    def parameters(self) -> list[Row]:
        """What was asked for, and what was used in its place; those that differ come first."""
        base = Row("base_model", _("Model to start from"), [start_label(run) for run in self.runs])
        asked = [self._option(name) for name in OPTIONS]
        used = [
            Row(f"used_{name}", label, [run.environment.get(name) for run in self.runs])
            for name, label in _USED
        ]
        told = [row for row in used if any(value is not None for value in row.values)]
        return sorted([base, *asked, *told], key=lambda row: not row.is_different)

    @property
    def data(self) -> list[Row]:
        """On what the runs were trained and measured."""
        found = [data(run) for run in self.runs]
        rows = [{**one, **one["images"]} for one in found]
        return [Row(name, label, [row[name] for row in rows]) for name, label in _DATA]

    @property
    def is_same_data(self) -> bool:
        """Whether all figures were measured on the same pictures, and learned from the same."""
        prints = {run.dataset_version.fingerprint for run in self.runs}
        versions = {run.dataset_version_id for run in self.runs}
        return len(versions) == 1 or (len(prints) == 1 and "" not in prints)

    @property
    def machine(self) -> list[Row]:
        """How long it took, and on what."""
        of_curves: tuple[tuple[str, Text, Callable[[Curve], Any]], ...] = (
            ("training_seconds", _("Training time"), lambda curve: curve.total_seconds),
            ("seconds_per_epoch", _("Time for an epoch"), lambda curve: curve.typical_seconds),
            ("images_per_second", _("Pictures a second"), lambda curve: curve.typical_speed),
            ("gpu_memory_mb", _("GPU memory"), lambda curve: curve.most_memory),
        )
        of_runs: tuple[tuple[str, Text, Callable[[TrainingRun], Any]], ...] = (
            ("epochs", _("Epochs done"), lambda run: run.epoch),
            ("best_epoch", _("Best epoch"), lambda run: (run.best or {}).get("epoch")),
            ("attempts", _("Attempts"), lambda run: run.attempt),
        )
        device: tuple[tuple[str, Text, Callable[[TrainingRun], Any]], ...] = (
            ("device", _("Device"), lambda run: run.device or None),
            ("worker", _("Worker"), lambda run: run.worker or None),
        )
        return [
            *(Row(n, label, [pick(run) for run in self.runs]) for n, label, pick in of_runs),
            *(Row(n, label, [pick(one) for one in self.curves]) for n, label, pick in of_curves),
            *(Row(n, label, [pick(run) for run in self.runs]) for n, label, pick in device),
        ]

    def _option(self, name: str) -> Row:
        idle = [
            index
            for index, run in enumerate(self.runs)
            if set(OPTIONS) <= run.options.keys() and name in _idle(run)
        ]
        values = [run.options.get(name) for run in self.runs]
        return Row(name, OPTIONS[name].label, values, no_effect=idle)


def comparable(rows: Any, ids: Sequence[UUID]) -> list[TrainingRun]:
    """Return runs in the order of their ids; those that are not among the rows are left out.

    Args:
        rows: runs that may be seen.
    """
    related = ("model", "start_model", "dataset_version__dataset")
    found = rows.filter(pk__in=ids).select_related(*related)
    by_id = {run.pk: run for run in found.prefetch_related("dataset_version__classes")}
    return [by_id[pk] for pk in dict.fromkeys(ids) if pk in by_id]


def _idle(run: TrainingRun) -> Iterable[str]:
    """Return the options that changed nothing in a run."""
    classes = sum(row.boxes > 0 for row in run.dataset_version.classes.all())
    device = CPU if run.device == "CPU" else ""
    return has_no_effect(run.options, gpu_class=device, classes=classes)


def _row(name: str, label: Text, values: list[float | None]) -> Row:
    """Return a row of which more is better."""
    known = [value for value in values if value is not None]
    if not known or min(known) == max(known):
        return Row(name, label, values)
    return Row(name, label, values, [i for i, value in enumerate(values) if value == max(known)])


def _share_right(best: dict[str, Any]) -> float | None:
    return best["images_right"] / best["images"] if best.get("images") else None


def _ap_by_class(run: TrainingRun) -> dict[str, float | None]:
    model = getattr(run, "model", None)
    known = (model.metrics.get("per_class") or []) if model is not None else []
    return {row["class_name"]: row.get("ap50") for row in known}
