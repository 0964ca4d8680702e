"""The training library, held on a short rein: here alone are ultralytics and torch imported.

Import this only after `trainer_process.prepare_libraries`.
"""

import copy
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import ultralytics.data.build as library_build
import ultralytics.data.dataset as library_dataset
import ultralytics.data.utils as library_data
import ultralytics.engine.trainer as library_trainer
import ultralytics.utils.torch_utils as library_torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import _SafeLoad, load_checkpoint
from ultralytics.utils import SAFE_LOAD, SETTINGS, callbacks

from training.kernels import has_kernels
from training.trainer_arguments import OPTION_NAMES
from training.trainer_checkpoints import is_whole
from training.trainer_dataset import PreparedDataset, check_picture
from training.trainer_failures import Failure
from training.trainer_predictions import KeepingValidator
from training.trainer_process import THREADS
from training.trainer_watched import WatchedPictures, WatchingValidator

Callbacks = dict[str, Callable[[Any], None]]
#: What `optimizer=auto` and a GPU that is too small change in the arguments of a run.
_RESOLVED = ("batch", "optimizer", "lr0", "warmup_bias_lr")
#: What may be another value from one attempt to the next.
_FREE = ("imgsz", "patience")
#: Compute capability: Ampere. A T4 and a V100 would only pretend, and slowly.
_FIRST_WITH_BFLOAT16 = 8
_WEAK_AT_HALF = ("1660", "1650", "1630", "t400", "t550", "t600", "t1000", "t1200", "t2000", "k40m")


def load_the_rest() -> None:
    """Import what the library would import only in the middle of a training."""
    for name in ("matplotlib.pyplot", "polars", "scipy.ndimage", "torchvision", "cv2"):
        importlib.import_module(name)
    importlib.import_module("ultralytics.nn.autobackend")


def check_library() -> None:
    """Make sure that the library loads weights safely.

    Raises:
        RuntimeError: it would run code out of a file of weights.
    """
    if not (SAFE_LOAD and _SafeLoad.SUPPORTED):
        raise RuntimeError("This ultralytics and torch do not load weights safely.")
    if SETTINGS["sync"]:
        raise RuntimeError("The settings of ultralytics would send data out.")


def restrain_library() -> None:
    """Take away what reaches out: pickled label caches, the git of the host, other services.

    And what opens pictures: only prepared ones are read, and none is ever written.
    """

    def no_cache(path: Path) -> Any:
        raise FileNotFoundError(path)  # a label cache is a pickle: never read one

    def keep_in_memory(prefix: str, path: Path, labels: dict[str, Any], version: str) -> None:
        labels["version"] = version

    library_dataset.load_dataset_cache_file = no_cache
    library_dataset.save_dataset_cache_file = keep_in_memory
    library_data.check_image = check_picture
    library_build.YOLODataset = PreparedDataset
    callbacks.add_integration_callbacks = lambda instance: None
    library_trainer.GIT = SimpleNamespace(
        root=None, branch=None, commit=None, message=None, origin=None
    )
    library_trainer.check_amp = half_precision_works
    library_torch.NUM_THREADS = int(os.environ[THREADS])


def half_precision_works(model: Any) -> bool:
    """Whether training in half precision gives right numbers on this model's device.

    The library's own check downloads a model; this one compares the model at hand.
    """
    device = next(model.parameters()).device
    if device.type != "cuda":
        return False
    name = torch.cuda.get_device_name(device).lower()
    if any(weak in name for weak in _WEAK_AT_HALF):
        return False
    return agrees_with_itself(model, torch.autocast("cuda", dtype=torch.float16))


def usable_precision(wanted: Any, device: str) -> Any:
    """Return the precision for a device: bfloat16 only where the card really has it.

    Args:
        wanted: the library's `amp`: True, False or `bf16`.
        device: as the library names it, `cpu` or the index of a GPU.
    """
    if wanted != "bf16":
        return wanted
    if device == "cpu":
        return False
    major, _minor = torch.cuda.get_device_capability(int(device))
    return "bf16" if major >= _FIRST_WITH_BFLOAT16 else True


def agrees_with_itself(model: Any, autocast: Any) -> bool:
    """Whether a model answers alike in full and mixed precision; uses no random numbers."""
    probe = copy.deepcopy(model).eval()
    device = next(probe.parameters()).device
    picture = torch.linspace(0, 1, 3 * 256 * 256, device=device).reshape(1, 3, 256, 256)
    with torch.no_grad():
        exact = _first_tensor(probe(picture)).float()
        with autocast:
            rough = _first_tensor(probe(picture)).float()
    if exact.shape != rough.shape or not bool(torch.isfinite(rough).all()):
        return False
    scale = float(exact.abs().max()) or 1.0
    return float((exact - rough).abs().max()) <= 0.05 * scale


def _first_tensor(answer: Any) -> Any:
    while isinstance(answer, list | tuple):
        answer = answer[0]
    return answer


def choose_device(wanted: str) -> str:
    """Return the library's name of a device: `auto` is the first GPU, or else the CPU.

    Raises:
        Failure: `unsupported_device`; `device_failed` where a GPU that was there is gone.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    index = "0" if wanted == "auto" else wanted
    if not index.isdigit():
        raise Failure("unsupported_device", f"There is no GPU {wanted}.")
    if int(index) >= torch.cuda.device_count():
        raise Failure("device_failed", f"There is no GPU {wanted} any more.")
    major, minor = torch.cuda.get_device_capability(int(index))
    if not has_kernels(major, minor, torch.cuda.get_arch_list()):
        name = torch.cuda.get_device_name(int(index))
        raise Failure(
            "unsupported_device", f"{name} (sm_{major}{minor}), torch {torch.__version__}"
        )
    return index


def device_identity(index: str) -> str:
    """Return what tells a GPU from all others, whatever a process calls it."""
    return str(torch.cuda.get_device_properties(int(index)).uuid)


def device_name(device: Any) -> str:
    """Return the name of a device for people."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else "CPU"


def load_weights(path: Path, *, code: Any) -> tuple[Any, dict[str, Any]]:
    """Load a file of weights without running anything out of it.

    Args:
        code: failure code where it does not load.

    Returns:
        The model and the checkpoint around it.

    Raises:
        Failure: missing, damaged, refused, or not for finding objects.
    """
    if not is_whole(path):
        raise Failure(code, f"{path.name} is missing or damaged.")
    try:
        model, checkpoint = load_checkpoint(str(path))
    except MemoryError:
        raise
    except Exception as error:
        raise Failure(code, f"{path.name} is refused ({type(error).__name__}).") from error
    if model.task != "detect":
        raise Failure(code, f"{path.name} is for the task {model.task}.")
    return model, checkpoint


def take_over_arguments(arguments: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments for going on, with what the interrupted attempt had settled.

    Args:
        arguments: from the spec.
        saved: `train_args` of the checkpoint.

    Raises:
        Failure: `checkpoint_mismatch`: the checkpoint belongs to another run.
    """
    settled = _settled(arguments, saved)
    names = [name for name in OPTION_NAMES if name not in {*settled, *_FREE}]
    different = [name for name in names if saved.get(name) != arguments[name]]
    if different:
        raise Failure("checkpoint_mismatch", f"Different: {', '.join(different)}.")
    return {**arguments, **settled}


def _settled(arguments: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    batch, before = arguments["batch"], int(saved.get("batch") or 0)
    settled = {"batch": min(batch, before) if batch > 0 < before else max(before, 1)}
    # Another card may compute in another precision; what was learned is the same.
    settled["amp"] = arguments["amp"]
    if str(arguments["optimizer"]).lower() == "auto":
        settled |= {name: saved[name] for name in _RESOLVED[1:] if name in saved}
    return settled


class _Validator(WatchingValidator, KeepingValidator):
    """Watches a few pictures while an epoch is measured; keeps all that the best model finds."""


class RunTrainer(DetectionTrainer):  # type: ignore[misc]
    """The library's trainer with arguments from us alone, and a way to go on from a copy.

    Args:
        arguments: of `trainer_arguments.train_arguments`.
        listeners: functions by the name of the library's event.
        start: the model and checkpoint to go on from, already loaded.
        finish_only: train no further, only evaluate the best.
    """

    def __init__(
        self,
        arguments: dict[str, Any],
        listeners: Callbacks,
        *,
        start: tuple[Any, dict[str, Any]] | None = None,
        finish_only: bool = False,
    ) -> None:
        self._start = start
        self._finish_only = finish_only
        self.is_finishing = False
        self.watched: WatchedPictures | None = None
        events = callbacks.get_default_callbacks()
        for name, listener in listeners.items():
            events[name].append(listener)
        super().__init__(overrides=arguments, _callbacks=events)

    def check_resume(self, overrides: Any) -> None:
        """Keep our arguments: the library would take those of the checkpoint, paths and all."""
        self.resume = self.args.resume = self._start is not None

    def get_dataset(self) -> Any:
        """Read our data.yaml."""
        try:
            return super().get_dataset()
        except RuntimeError as error:
            raise Failure("data_error", str(error.__cause__ or error)) from error

    def get_dataloader(self, *args: Any, **kwargs: Any) -> Any:
        """Scan the pictures of a set."""
        try:
            return super().get_dataloader(*args, **kwargs)
        except (AssertionError, FileNotFoundError, ValueError) as error:
            raise Failure("data_error", str(error)) from error
        except RuntimeError as error:
            if "No valid images" in str(error):
                raise Failure("data_error", str(error)) from error
            raise

    def get_validator(self) -> Any:
        """Measure with a validator that watches a few pictures and keeps what is found at last."""
        arguments = copy.copy(self.args)
        validator = _Validator(
            self.test_loader, save_dir=self.save_dir, args=arguments, _callbacks=self.callbacks
        )
        validator.watched = self.watched
        return validator

    def setup_model(self) -> Any:
        """Build the model from the library's own description, from weights, or to go on."""
        if self._start is None and str(self.args.model).endswith(".yaml"):
            return super().setup_model()
        if self._start is None:
            self._start = load_weights(Path(self.args.model), code="weights_unreadable")
        weights, checkpoint = self._start
        self.model = self.get_model(cfg=weights.yaml, weights=weights, verbose=True)
        return checkpoint

    def resume_training(self, ckpt: Any) -> None:
        """Restore optimizer, averages and schedule; a run that is over has nothing to restore."""
        if self.resume and self._finish_only:
            self.start_epoch = int(ckpt["epoch"])
            self.best_fitness = ckpt.get("best_fitness")
            return
        super().resume_training(ckpt)

    def _do_train(self) -> None:
        if not self._finish_only:
            super()._do_train()
            return
        self._setup_train()
        self.epoch = self.start_epoch
        self.final_eval()
        if self.args.plots:
            self.plot_metrics()

    def final_eval(self) -> None:
        """Evaluate the best model; the event of an epoch that this fires is not one."""
        self.is_finishing = True
        super().final_eval()
