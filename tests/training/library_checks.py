"""Checks against the real training library, in a process of its own; run by test_trainer_library.

Prints `ok NAME` for each check that holds.
"""

import copy
import sys
from pathlib import Path
from types import SimpleNamespace

from training import trainer_process

trainer_process.prepare_libraries(Path(sys.argv[1]))

import torch  # noqa: E402
import ultralytics.data.dataset as library_dataset  # noqa: E402
import ultralytics.engine.trainer as library_trainer  # noqa: E402
from ultralytics.cfg import get_cfg  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402
from ultralytics.utils import ONLINE, SETTINGS, callbacks  # noqa: E402
from ultralytics.utils.checks import check_font  # noqa: E402

from training import trainer_yolo as ours  # noqa: E402
from training.trainer_arguments import library_value  # noqa: E402
from training.trainer_failures import Failure  # noqa: E402


def safe_and_offline() -> None:
    """The library was told to load safely and to stay at home."""
    ours.check_library()
    assert not ONLINE
    integrations = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "sync")
    assert not any(SETTINGS[name] for name in integrations)


def no_cuda_in_a_spare() -> None:
    """Loading everything makes no CUDA call."""
    ours.load_the_rest()
    assert not torch.cuda.is_initialized()


def restrained() -> None:
    """No pickled cache is read or written, no service is called, no git is asked."""
    ours.restrain_library()
    try:
        library_dataset.load_dataset_cache_file(Path(sys.argv[1]) / "x.cache")
        raise AssertionError("a cache was read")
    except FileNotFoundError:
        pass
    labels: dict[str, object] = {}
    library_dataset.save_dataset_cache_file("", Path(sys.argv[1]) / "x.cache", labels, "1")
    assert labels == {"version": "1"}
    assert not (Path(sys.argv[1]) / "x.cache").exists()
    listener = SimpleNamespace(callbacks={})
    callbacks.add_integration_callbacks(listener)
    assert not listener.callbacks
    assert library_trainer.GIT.origin is None


def fonts_are_here() -> None:
    """Both names of the font are files of ours."""
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        assert Path(check_font(name)).is_relative_to(sys.argv[1])


def half_precision_is_judged_by_the_model_itself() -> None:
    """A sound model agrees with itself, a broken one does not, and nothing random is used up."""
    torch.manual_seed(1)
    model = DetectionModel("yolo26n.yaml", nc=2, verbose=False)
    before = torch.get_rng_state()
    assert not ours.half_precision_works(model)
    assert ours.agrees_with_itself(model, torch.autocast("cpu", dtype=torch.bfloat16))
    broken = copy.deepcopy(model)
    broken.model[0].conv.weight.data.fill_(float("nan"))
    assert not ours.agrees_with_itself(broken, torch.autocast("cpu", dtype=torch.bfloat16))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training


def kernels_are_matched_to_the_card() -> None:
    """V100 needs sm_70; a newer card of the same generation, or portable code, will do."""
    listed = ["sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
    assert all(
        ours._has_kernels(*card, listed) for card in ((7, 0), (7, 5), (8, 0), (8, 9), (9, 0))
    )
    assert not ours._has_kernels(6, 1, listed)
    assert not ours._has_kernels(12, 0, listed)
    assert not ours._has_kernels(7, 0, ["sm_75", "sm_90a", "sm_100"])
    assert ours._has_kernels(12, 1, ["compute_120"])


def devices_are_chosen() -> None:
    """Without a GPU, automatic means the CPU and a number is refused."""
    if torch.cuda.is_available():
        return
    assert ours.choose_device("auto") == ours.choose_device("cpu") == "cpu"
    for wanted in ("0", "0,1", "/dev/x"):
        try:
            ours.choose_device(wanted)
            raise AssertionError(wanted)
        except Failure as failure:
            assert failure.code == "unsupported_device"


def ranges_fit_the_library() -> None:
    """Both ends of every range are values that the library takes."""
    import json

    for entry in json.loads(sys.argv[2]):
        ends = [value for value in (entry["minimum"], entry["maximum"]) if value is not None]
        ends += (
            [choice["value"] for choice in entry["choices"]] if entry["name"] != "optimizer" else []
        )
        for value in [entry["default"], *ends]:
            get_cfg(overrides={entry["name"]: library_value(entry["name"], value)})


def every_scratch_model_is_known_to_the_library() -> None:
    """The description of each family and size comes with the library."""
    from ultralytics.nn.tasks import yaml_model_load

    for name in sys.argv[3].split(","):
        assert yaml_model_load(f"{name}.yaml")["scale"] == name[-1]


def every_optimizer_can_be_built() -> None:
    """Each choice is one that the library builds."""
    model = DetectionModel("yolo26n.yaml", nc=2, verbose=False)
    trainer = SimpleNamespace(args=SimpleNamespace(lr0=0.01), data={"nc": 2})
    for name in sys.argv[4].split(","):
        built = library_trainer.BaseTrainer.build_optimizer(
            trainer, model, name=name, iterations=10
        )
        assert name in {"auto", type(built).__name__}


def what_was_settled_is_taken_over() -> None:
    """The batch that fitted and the optimizer that was chosen stay; the smaller batch wins."""
    saved = {"epochs": 3, "batch": 4, "optimizer": "AdamW", "lr0": 0.001, "warmup_bias_lr": 0.0}
    saved |= dict.fromkeys(ours.OPTION_NAMES, 0) | saved
    asked = {**dict.fromkeys(ours.OPTION_NAMES, 0), "epochs": 3, "lr0": 0.01}
    asked |= {"optimizer": "auto", "batch": 16}
    taken = ours.take_over_arguments(asked, saved)
    assert (taken["batch"], taken["optimizer"], taken["lr0"]) == (4, "AdamW", 0.001)
    assert ours.take_over_arguments({**asked, "batch": -1}, saved)["batch"] == 4
    assert ours.take_over_arguments({**asked, "batch": 2}, saved)["batch"] == 2
    for other in ({"epochs": 5}, {"optimizer": "SGD"}, {"mosaic": 1.0}):
        try:
            ours.take_over_arguments({**asked, **other}, saved)
            raise AssertionError(other)
        except Failure as failure:
            assert failure.code == "checkpoint_mismatch"


CHECKS = (
    safe_and_offline,
    no_cuda_in_a_spare,
    restrained,
    fonts_are_here,
    half_precision_is_judged_by_the_model_itself,
    kernels_are_matched_to_the_card,
    devices_are_chosen,
    ranges_fit_the_library,
    every_scratch_model_is_known_to_the_library,
    every_optimizer_can_be_built,
    what_was_settled_is_taken_over,
)

if __name__ == "__main__":
    import traceback

    for check in CHECKS:
        try:
            check()
            print("ok", check.__name__, flush=True)
        except Exception:  # noqa: BLE001  every check has its say
            print("failed", check.__name__, traceback.format_exc(), flush=True)
