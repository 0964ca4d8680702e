"""The language between a training's supervisor and its trainer: one JSON object a line, both ways.

Nothing here imports Django, torch or ultralytics: both ends share it.

The supervisor says a `Spec` first, later `{"type": "stop"}` (end after this epoch, keep the best),
`{"type": "drain"}` (leave at once, the last checkpoint stands) and
`{"type": "committed", "epoch": 3}` (all up to this epoch is stored). The trainer says `hello` when
connected, then `log`, `started`, `progress` and `epoch`, and ends with exactly one of `done`,
`failed` and `drained`. A connection that closes without one of these was an interruption.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

PROTOCOL = 2
MAX_LOG_TEXT = 8192
"""Bytes of UTF-8 in one log message."""
PREDICTIONS_FLOOR = 0.05
"""Confidence from which on the trainer writes down what it finds on validation pictures."""

Message = dict[str, Any]
Level = Literal["debug", "info", "warning", "error"]
Phase = Literal["prepare", "train", "validate", "finish"]
FailureCode = Literal[
    "bad_spec",  # the supervisor asked for something that makes no sense: a defect of ours
    "data_error",  # the prepared data set cannot be trained on
    "weights_unreadable",  # the weights to start from are missing, damaged or refused
    "checkpoint_unreadable",  # damaged or cut short: try the one before
    "checkpoint_mismatch",  # a checkpoint of another run
    "out_of_memory",  # of the GPU, after the batch was halved as often as it may be
    "host_out_of_memory",  # of the machine
    "shared_memory_full",  # /dev/shm, or the files that a process may have open
    "disk_full",
    "diverged",  # the loss became NaN and stayed so
    "unsupported_device",  # the device asked for is not there, or this torch has no kernels for it
    "device_failed",  # the GPU answered with an error
    "internal",
]


class ProtocolError(Exception):
    """The other end said something outside the protocol."""


class Hello(TypedDict):
    """First message of the trainer."""

    type: Literal["hello"]
    protocol: int
    pid: int
    warm: bool
    versions: dict[str, str]


class Log(TypedDict):
    """One cleaned line of text, at most MAX_LOG_TEXT bytes."""

    type: Literal["log"]
    level: Level
    text: str


class Machine(TypedDict):
    """What kind of machine a training runs on; nothing that names it."""

    system: str
    architecture: str
    cpus: int
    memory_mb: int
    gpu: NotRequired[str]
    gpu_memory_mb: NotRequired[int]
    gpu_capability: NotRequired[str]
    driver: NotRequired[str]


class Facts(TypedDict):
    """What a result depends on besides data and options; `weights` are those to start from."""

    versions: dict[str, str]
    machine: Machine
    weights_sha256: NotRequired[str]


class Started(Facts):
    """The training loop begins; `batch` and `optimizer` are what is really used."""

    type: Literal["started"]
    device: str
    batch: int
    imgsz: int
    images: dict[str, int]
    epochs: int
    start_epoch: int
    parameters: int
    optimizer: str
    lr0: float
    final_lr: float
    amp: bool


class Progress(TypedDict):
    """At most two a second; `epoch` counts from 1 and is 0 before the first."""

    type: Literal["progress"]
    phase: Phase
    epoch: int
    done: int
    total: int
    images_per_second: float | None


class CheckpointFile(TypedDict):
    """A file that is complete and durable, and is never written to again."""

    path: str
    sha256: str
    size: int


class WatchedPicture(TypedDict):
    """What was found on a validation picture: [class, confidence, x1, y1, x2, y2] each.

    `file` is its name without suffix; the corners are shares of the picture's width and height.
    """

    file: str
    boxes: list[list[float]]


class Epoch(TypedDict):
    """One finished epoch, said once; `epoch` counts from 1, lost numbers (NaN) are null.

    Of its `seconds`, `waited_seconds` went by until pictures to train with were there.
    """

    type: Literal["epoch"]
    epoch: int
    train: dict[str, float | None]
    val: dict[str, float | None]
    lr: float | None
    seconds: float
    waited_seconds: float
    validated_seconds: float
    images_per_second: float
    gpu_memory_mb: float | None
    batch: int
    fitness: float | None
    is_best: bool
    checkpoint: CheckpointFile | None
    best_checkpoint: CheckpointFile | None
    pictures: list[WatchedPicture] | None


class Artifact(TypedDict):
    """A file of the result, to be fetched before the work folder goes."""

    name: str
    kind: Literal["plot", "table", "arguments", "evaluation", "predictions", "model"]
    path: str


class Done(TypedDict):
    """The training ended well; `best_path` holds the model alone, without paths of this host."""

    type: Literal["done"]
    epochs_run: int
    stopped_early: bool
    stop_reason: Literal["completed", "patience", "asked"]
    best: dict[str, Any]
    best_path: str
    metrics: dict[str, Any]
    artifacts: list[Artifact]


class Failed(TypedDict):
    """The training cannot go on; `epoch` is the last finished one, `batch` was used (0: none)."""

    type: Literal["failed"]
    code: FailureCode
    detail: str
    epoch: int
    batch: int


class Drained(TypedDict):
    """Left on request; the last epoch said stands."""

    type: Literal["drained"]
    epoch: int


class Command(TypedDict):
    """What the supervisor may say after the spec."""

    type: Literal["stop", "drain", "committed"]
    reason: NotRequired[str]
    epoch: NotRequired[int]


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Where to go on: copies of a checkpoint, and the epoch (from 1) that it closed.

    `finalise` trains no further: the best model so far is evaluated and reported.
    """

    last: str
    best: str | None
    epoch: int
    finalise: bool = False


@dataclass(frozen=True, kw_only=True)
class Data:
    """A folder with images/{train,val} and labels/{train,val}, and the class names in order."""

    root: str
    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """All that a trainer is told; every path is absolute, `work_dir` is its own and private.

    `weights_name` is the file that a person needs to repeat this, where it is none of `base_model`.
    The trainer waits where more than `unstored_seconds` of training are not stored, and more than
    one epoch.
    """

    data: Data
    base_model: str
    weights: str | None
    options: Mapping[str, Any]
    work_dir: str
    device: str = "auto"
    resume: Resume | None = None
    loader_workers: int = 0
    weights_name: str = ""
    unstored_seconds: float = 60.0
    version: int = field(default=PROTOCOL)

    def as_message(self) -> Message:
        """Return the line that starts a training."""
        return {"type": "spec", **asdict(self)}

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Spec":
        """Read a spec.

        Raises:
            ProtocolError: a key is missing, unknown or wrong, or the version is not ours.
        """
        values = {key: value for key, value in message.items() if key != "type"}
        if values.get("version") != PROTOCOL:
            raise ProtocolError(f"The spec has version {values.get('version')}, not {PROTOCOL}.")
        try:
            values["data"] = Data(**values["data"])
            values["resume"] = Resume(**values["resume"]) if values.get("resume") else None
            spec = cls(**values)
        except (KeyError, TypeError) as error:
            raise ProtocolError(f"The spec does not read: {error}") from error
        _check(spec)
        return spec


def _check(spec: Spec) -> None:
    paths = [spec.data.root, spec.work_dir]
    paths += [spec.weights] if spec.weights is not None else []
    if spec.resume:
        paths += [spec.resume.last] + ([spec.resume.best] if spec.resume.best is not None else [])
    if not all(isinstance(path, str) and path.startswith("/") for path in paths):
        raise ProtocolError("The paths of a spec are absolute.")
    names = spec.data.names
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise ProtocolError("A spec names its classes.")
    if not isinstance(spec.options, dict) or not isinstance(spec.base_model, str):
        raise ProtocolError("A spec has options and a base model.")
    if not isinstance(spec.weights_name, str):
        raise ProtocolError("Weights have a name.")
    if not isinstance(spec.unstored_seconds, int | float) or not spec.unstored_seconds >= 0:
        raise ProtocolError("A spec has seconds that may be unstored.")
    if type(spec.loader_workers) is not int or not -1 <= spec.loader_workers <= 64:
        raise ProtocolError("A spec has 0 to 64 loader workers, or -1 for as many as fit.")
