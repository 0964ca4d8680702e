"""What the failure of a trainer means for its run: once more and smaller, elsewhere, or an end."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import transitions
from jobs.errors import Interrupted, UserError
from jobs.patience import persist
from training import provenance
from training.messages import Message
from training.models import TrainingRun
from training.resuming import batch_in_use

#: What the trainer calls its failures, as a person is told.
_ENDS = {
    "weights_unreadable": "weights_unreadable",
    "data_error": "data_error",
    "diverged": "diverged",
    "unsupported_device": "unsupported_device",
}
#: Memory ran out: less may fit.
_SHORTAGES = {"out_of_memory", "host_out_of_memory", "shared_memory_full"}
#: Not the run's fault: it goes on elsewhere, or here once that is over.
FAULTS_OF_HOST = {"device_failed", "disk_full"}
_DETAIL = 300
_ELSEWHERE = {
    "device_failed": gettext_noop(
        "The graphics card of this worker failed; the training goes on elsewhere, or here once it"
        " answers again."
    ),
    "disk_full": gettext_noop(
        "The disk is full; the training goes on elsewhere, or here once there is space."
    ),
}
_SMALLER = {
    "out_of_memory": gettext_noop("The graphics card ran out of memory."),
    "host_out_of_memory": gettext_noop("The worker ran out of memory."),
    "shared_memory_full": gettext_noop("The worker ran out of shared memory."),
}


class CheckpointUnreadable(Exception):
    """The trainer refused the checkpoint that it was to go on from."""


class MemoryShort(Exception):
    """Memory ran out under a training.

    Args:
        code: `out_of_memory`, `host_out_of_memory` or `shared_memory_full`.
        batch: what was used, 0 where nobody knows.
    """

    def __init__(self, code: str, batch: int) -> None:
        super().__init__(code, batch)
        self.code = code
        self.batch = batch


def judge(run: TrainingRun, message: Message) -> Exception:
    """Return what to raise for a trainer's `failed`."""
    code, detail = str(message["code"]), str(message["detail"])
    if code in {"checkpoint_unreadable", "checkpoint_mismatch"}:
        return CheckpointUnreadable()
    if code in _SHORTAGES:
        return MemoryShort(code, int(message.get("batch") or batch_in_use(run)))
    if code in FAULTS_OF_HOST:
        return Interrupted(code)
    epoch = min(int(message["epoch"]) + 1, int(run.options["epochs"]))
    return UserError(_ENDS.get(code, "trainer_failed"), detail=detail[:_DETAIL], epoch=epoch)


def shrink(run: TrainingRun, short: MemoryShort, *, loader_workers: int) -> bool:
    """Have the run go on with half of what it used, once; a person may do so again.

    Args:
        loader_workers: what was used.

    Returns:
        False where that was done already, or nothing is left to be made smaller.

    Raises:
        LeaseLost: another attempt owns the run.
    """
    if "because" in run.adjusted:
        return False
    smaller: dict[str, int] = {}
    if short.code == "shared_memory_full" and loader_workers:
        smaller["loader_workers"] = 0
    elif loader_workers > 0:  # an automatic number is small where there is little memory
        smaller["loader_workers"] = loader_workers // 2
    if short.batch > 1 and short.code != "shared_memory_full":
        smaller["batch"] = short.batch // 2
    if not smaller:
        return False
    changed = {**run.adjusted, **smaller, "because": short.code, "batch_before": short.batch}
    noted = run.environment
    if short.code == "out_of_memory":
        noted = provenance.too_large(run, short.batch)
    persist(lambda: _save(run, adjusted=changed, environment=noted))
    return True


def smaller(run: TrainingRun, short: MemoryShort, *, loader_workers: int) -> str:
    """Return what the log says when a run goes on with less."""
    used = {"batch": run.adjusted.get("batch") or short.batch, "workers": loader_workers}
    what = _("Trying again with batch %(batch)d and %(workers)d loader processes.")
    if loader_workers < 0:
        what = _("Trying again with batch %(batch)d.")
    return f"{_(_SMALLER[short.code])} {what % used}"


def elsewhere(reason: str) -> str:
    """Return what the log says when a run leaves a worker for one of `FAULTS_OF_HOST`."""
    return _(_ELSEWHERE[reason])


def _save(run: TrainingRun, *, adjusted: dict[str, Any], environment: dict[str, Any]) -> None:
    with transitions.fenced(run, adjusted=adjusted, environment=environment):
        pass
    run.adjusted, run.environment = adjusted, environment
