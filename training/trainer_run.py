"""One training from its spec to its last word.

Import this only after `trainer_process.prepare_libraries`.
"""

import csv
import os
import shutil
import traceback
from pathlib import Path
from typing import Any

from training.messages import Done, Drained, Failed, Progress, Resume, Spec
from training.trainer_arguments import RUN_FOLDER, SCRATCH, train_arguments
from training.trainer_checkpoints import CheckpointFolder
from training.trainer_data import check_folder, write_data_yaml
from training.trainer_device import hold_device
from training.trainer_failures import Failure, Left, explain
from training.trainer_link import Link
from training.trainer_log import LogSink
from training.trainer_machine import facts
from training.trainer_report import Reporter
from training.trainer_result import (
    collect_artifacts,
    export_model,
    final_metrics,
    library_name,
    wait_for_plots,
    write_arguments,
    write_evaluation,
)
from training.trainer_yolo import (
    RunTrainer,
    choose_device,
    device_identity,
    device_name,
    load_weights,
    take_over_arguments,
    usable_precision,
)


class Run:
    """One training: prepared, gone through, finished, and always with a last word.

    Args:
        spec: what to do; its work folder is this run's alone.
        link: the supervisor.
        log: where the library's lines go.
    """

    def __init__(self, spec: Spec, link: Link, log: LogSink) -> None:
        self._spec = spec
        self._link = link
        self._log = log
        self._work = Path(spec.work_dir)
        self._folder = self._work / RUN_FOLDER
        self._reporter: Reporter | None = None
        self._trainer: RunTrainer | None = None

    def go(self) -> bool:
        """Train, and say `done`, `failed` or `drained`.

        Returns:
            Whether it ended well.
        """
        try:
            self._train()
        except Left:
            self._link.send(Drained(type="drained", epoch=self._epoch))
        except Exception as error:  # noqa: BLE001  the last word has to be said whatever happens
            self._fail(error)
            return False
        return True

    @property
    def _epoch(self) -> int:
        return self._reporter.epoch if self._reporter else 0

    def _fail(self, error: Exception) -> None:
        failure = explain(error)
        if failure.code == "internal":
            self._log.add("error", _traceback(error))
        self._log.flush()
        message = Failed(
            type="failed",
            code=failure.code,
            detail=self._log.readable(failure.detail),
            epoch=self._epoch,
            batch=max(int(self._trainer.batch_size), 0) if self._trainer else 0,
        )
        self._link.send(message)

    def _train(self) -> None:
        arguments = self._prepare()
        start, best_epoch = self._restore(self._spec.resume) if self._spec.resume else (None, 0)
        if start:
            arguments = take_over_arguments(arguments, start[1]["train_args"])
        reporter = Reporter(
            self._link,
            self._log,
            CheckpointFolder(self._work / "checkpoints"),
            epoch=int(start[1]["epoch"]) + 1 if start else 0,
            best_epoch=best_epoch,
            seed=int(self._spec.options["seed"]),
            unstored_seconds=self._spec.unstored_seconds,
        )
        self._reporter = reporter
        self._log.on_bar = reporter.bar_moved
        finish_only = start is not None and self._is_over(start[1])
        trainer = RunTrainer(arguments, reporter.listeners(), start=start, finish_only=finish_only)
        self._trainer = trainer
        reporter.device = device_name(trainer.device)
        reporter.facts = facts(trainer.device, self._spec.weights)
        trainer.watched = reporter.watched
        trainer.train()
        self._finish(trainer, reporter)

    def _prepare(self) -> dict[str, Any]:
        """Make the folders and the data.yaml, and return the arguments of the training."""
        spec = self._spec
        if not self._work.is_dir():
            raise Failure("bad_spec", "The work folder is missing.")
        check_folder(Path(spec.data.root))
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "weights").mkdir(parents=True)
        (self._work / "out").mkdir(exist_ok=True)
        os.chdir(self._work)
        data = write_data_yaml(spec.data, self._work / "data.yaml")
        device = choose_device(spec.device)
        if device != "cpu":
            locks = Path(os.environ["YOLO_CONFIG_DIR"])
            hold_device(locks, device_identity(device), self._say_that_it_waits)
        arguments = train_arguments(spec, data=data, model=_model(spec), device=device)
        precision = usable_precision(arguments["amp"], device)
        if precision != arguments["amp"]:
            self._log.add("warning", "This device has no bfloat16; another precision is used.")
        return {**arguments, "amp": precision}

    def _say_that_it_waits(self, seconds: int) -> None:
        """Let the supervisor hear that nothing hangs: another training has the GPU."""
        if not seconds:
            self._log.add("info", "Waiting: another training uses the graphics card")
        epoch = self._spec.resume.epoch if self._spec.resume else 0
        idle = Progress(
            type="progress", phase="prepare", epoch=epoch, done=0, total=0, images_per_second=None
        )
        self._link.send(idle)

    def _restore(self, resume: Resume) -> tuple[tuple[Any, dict[str, Any]], int]:
        """Lay the copies of a checkpoint where the library expects them.

        Returns:
            Model and checkpoint to go on from, and the epoch of the best model.

        Raises:
            Failure: `checkpoint_unreadable`, `checkpoint_mismatch`.
        """
        last = Path(resume.last)
        start = load_weights(last, code="checkpoint_unreadable")
        checkpoint = start[1]
        if checkpoint.get("optimizer") is None or checkpoint.get("epoch", -1) < 0:
            raise Failure("checkpoint_unreadable", f"{last.name} holds no state to go on from.")
        if int(checkpoint["epoch"]) + 1 != resume.epoch:
            raise Failure("checkpoint_mismatch", f"{last.name} is of another epoch.")
        best_epoch = resume.epoch
        # What the next epochs must be better than: these weights, whatever was lost before.
        checkpoint["best_fitness"] = (checkpoint.get("train_metrics") or {}).get("fitness")
        if resume.best:
            _model_of_best, best = load_weights(Path(resume.best), code="checkpoint_unreadable")
            best_epoch = int(best["epoch"]) + 1
            checkpoint["best_fitness"] = best.get("best_fitness")
        weights = self._folder / "weights"
        shutil.copyfile(last, weights / "last.pt")
        shutil.copyfile(resume.best or last, weights / "best.pt")
        _write_results(checkpoint.get("train_results") or {}, self._folder / "results.csv")
        return start, best_epoch

    def _is_over(self, checkpoint: dict[str, Any]) -> bool:
        """Whether the run had ended when it was interrupted, or is to end now."""
        epoch = int(checkpoint["epoch"]) + 1
        patience = int(self._spec.options["patience"])
        best = int((checkpoint.get("stopper") or {}).get("best_epoch", epoch))
        out_of_patience = patience > 0 and epoch - best >= patience
        wanted = self._spec.resume is not None and self._spec.resume.finalise
        return wanted or out_of_patience or epoch >= int(self._spec.options["epochs"])

    def _finish(self, trainer: RunTrainer, reporter: Reporter) -> None:
        """Write what the run leaves and say that it is done."""
        best, out = Path(trainer.best), self._work / "out"
        if not best.exists():
            raise Failure("diverged", "No epoch gave a model that can be measured.")
        export_model(best, out / "best.pt", base_model=self._spec.base_model)
        metrics = final_metrics(trainer.validator)
        write_evaluation(trainer.validator, metrics, out / "evaluation.json")
        model = self._spec.weights_name or library_name(self._spec.base_model)
        write_arguments(dict(vars(trainer.args)), model, out / "args.yaml")
        wait_for_plots()
        names = ("precision", "recall", "map50", "map50_95")
        epochs = int(self._spec.options["epochs"])
        self._log.flush()
        self._link.send(
            Done(
                type="done",
                epochs_run=reporter.epoch,
                stopped_early=reporter.epoch < epochs,
                stop_reason=self._stop_reason(reporter.epoch, epochs),
                best={"epoch": reporter.best_epoch, **{name: metrics[name] for name in names}},
                best_path=str(out / "best.pt"),
                metrics=metrics,
                artifacts=collect_artifacts(self._folder, out),
            )
        )

    def _stop_reason(self, epoch: int, epochs: int) -> Any:
        if epoch >= epochs:
            return "completed"
        wanted = self._spec.resume is not None and self._spec.resume.finalise
        return "asked" if wanted or self._link.stop_requested.is_set() else "patience"


def short_names(spec: Spec) -> dict[str, str]:
    """Return what to write in the log in place of the paths of this host."""
    names = {spec.work_dir: "", spec.data.root: "data"}
    if spec.weights:
        names[str(Path(spec.weights).parent)] = "weights"
    if spec.resume:
        names[str(Path(spec.resume.last).parent)] = "resumed"
    return names


def _model(spec: Spec) -> str:
    """Return the weights to start from, or the library's description of an empty model."""
    if spec.resume:
        return spec.resume.last
    if spec.weights:
        return spec.weights
    if not spec.base_model.endswith(SCRATCH):
        raise Failure("weights_unreadable", f"There are no weights for {spec.base_model}.")
    name = spec.base_model.removesuffix(SCRATCH)
    if not name.isalnum():
        raise Failure("bad_spec", "There is no such base model.")
    return f"{name}.yaml"


def _write_results(columns: dict[str, list[Any]], target: Path) -> None:
    """Write the table of the epochs so far, as the library would have left it."""
    if not columns:
        return
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))[-20_000:]
