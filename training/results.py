"""What a finished run leaves behind: the model, its figures, plots and tables."""

import csv
import io
import json
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.base import ContentFile

from jobs.errors import UserError
from jobs.patience import persist
from projects.models import Project
from storage.presence import is_missing
from training import checkpoints, predictions, provenance
from training.messages import Message
from training.models import Artifact, TrainedModel, TrainingRun, artifacts_storage, weights_storage
from training.services import next_model_version
from training.storing import patiently

log = logging.getLogger(__name__)

#: The trainer's own table counts epochs of one attempt; ours is made from the database.
_TABLE = "results.csv"
#: Not stored as they are: weights are models and checkpoints here, predictions are compared first.
_OTHERWISE = frozenset({"model", predictions.KIND})


def prepare(
    run: TrainingRun,
    done: Message,
    check: Callable[[], None],
    *,
    reason: TrainingRun.StopReason | None = None,
) -> Callable[[], None]:
    """Store the model and the artifacts, and return the write that registers them.

    Args:
        check: raises where nobody wants the result any more; called while storage is away.
        reason: why it ended early, if it did.

    Raises:
        UserError: `no_epoch_to_keep`, the run was stopped before its first epoch.
        UserError, Interrupted: storage cannot take them; see `storing.patiently`.
    """
    best = Path(done["best_path"])
    if not run.epoch or not best.is_file():
        raise UserError("no_epoch_to_keep")
    model = patiently(lambda: _store_model(run, best, done), check)
    compared = _compare(run, done, check)
    if compared is not None:
        model.metrics["counts"] = compared.counts()
    steps = [partial(_store_artifact, run, item) for item in done["artifacts"] if _is_kept(item)]
    steps += [partial(_store_text, run, *text) for text in _texts(run, compared)]
    artifacts = [patiently(step, check) for step in steps]

    def register() -> None:
        project = Project.objects.select_for_update().get(pk=run.project_id)
        model.version = next_model_version(project)
        model.save()
        run.artifacts.all().delete()
        Artifact.objects.bulk_create(artifacts)
        TrainingRun.objects.filter(pk=run.pk).update(
            stopped_early=bool(done["stopped_early"]),
            stop_reason=reason,
            best=_best(run, model.metrics, done),
        )

    return register


def fetch_model(model: TrainedModel, target: Path) -> bool:
    """Copy a model's weights out of storage, if they are what was registered.

    Raises:
        Exception: storage is away, with all that is in it.
    """
    try:
        with model.file.open("rb") as source, target.open("wb") as copy:
            for chunk in File(source).chunks():
                copy.write(chunk)
    except FileNotFoundError:
        if is_missing(model.file.storage, str(model.file.name)):
            return False
        raise
    with target.open("rb") as copied:
        return checkpoints.file_sha256(copied) == model.sha256


def _store_model(run: TrainingRun, path: Path, done: Message) -> TrainedModel:
    with path.open("rb") as file:
        sha256 = checkpoints.file_sha256(file)
        file.seek(0)
        name = weights_storage().save(f"models/{run.pk}-{run.attempt}-{sha256[:12]}.pt", File(file))
    version = run.dataset_version
    model = TrainedModel(
        project_id=run.project_id,
        name=run.name,
        training_run=run,
        dataset_version=version,
        architecture=run.architecture,
        classes=[item.name for item in version.classes.order_by("index")],
        imgsz=run.used_options["imgsz"],
        metrics=done["metrics"],
        size=path.stat().st_size,
        sha256=sha256,
    )
    model.file = name
    return model


def _store_artifact(run: TrainingRun, item: Message) -> Artifact:
    path = Path(item["path"])
    with path.open("rb") as file:
        return _artifact(run, item["name"], item["kind"], File(file))


def _is_kept(item: Message) -> bool:
    return item["name"] != _TABLE and item["kind"] not in _OTHERWISE


def _compare(
    run: TrainingRun, done: Message, check: Callable[[], None]
) -> predictions.Compared | None:
    """Compare predictions and truth; that this fails is no reason to lose a model."""
    try:
        return persist(lambda: predictions.compare(run, done, check))
    except (OSError, ValueError, LookupError, TypeError):
        log.exception("The predictions of run %s cannot be compared", run.pk)
        return None


def _texts(
    run: TrainingRun, compared: predictions.Compared | None
) -> Iterator[tuple[str, str, str]]:
    """Yield name, kind and content of what is made here."""
    yield _TABLE, "table", persist(lambda: results_table(run))
    environment = persist(lambda: provenance.document(run))
    yield provenance.NAME, provenance.KIND, json.dumps(environment, ensure_ascii=False, indent=2)
    if compared is not None:
        content = json.dumps(compared.document(), separators=(",", ":"), ensure_ascii=False)
        yield predictions.NAME, predictions.KIND, content


def _store_text(run: TrainingRun, name: str, kind: str, text: str) -> Artifact:
    return _artifact(run, name, kind, ContentFile(text.encode("utf-8")))


def _artifact(run: TrainingRun, name: str, kind: str, content: "File[bytes]") -> Artifact:
    stored = artifacts_storage().save(f"runs/{run.pk}/{run.attempt}-{Path(name).name}", content)
    artifact = Artifact(run=run, name=Path(name).name[:100], kind=kind, size=content.size)
    artifact.file = stored
    return artifact


def results_table(run: TrainingRun) -> str:
    """Return all epochs of all attempts as CSV."""
    rows = [
        {
            "epoch": epoch.epoch,
            **{f"train/{name}": value for name, value in epoch.train.items()},
            **{f"val/{name}": value for name, value in epoch.val.items()},
            "lr": epoch.lr,
            "seconds": epoch.seconds,
            "images_per_second": epoch.images_per_second,
            "gpu_memory_mb": epoch.gpu_memory_mb,
            "attempt": epoch.attempt,
        }
        for epoch in run.epochs.all()
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _best(run: TrainingRun, metrics: dict[str, Any], done: Message) -> dict[str, Any]:
    """Return the best epoch with the figures of its last, separate evaluation."""
    figures = ("map50", "map50_95", "precision", "recall")
    counted = ("images", "images_right", "confidence")
    counts = metrics.get("counts", {})
    best = {
        "epoch": done["best"].get("epoch"),
        **{name: metrics.get(name) for name in figures},
        **{name: counts.get(name) for name in counted},
    }
    return {**(run.best or {}), **{k: v for k, v in best.items() if v is not None}}
