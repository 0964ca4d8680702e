"""Checks against the real training library, in a process of its own; run by test_trainer_library.

Prints `ok NAME` for each check that holds.
"""

import copy
import os
import random
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from training import trainer_process

trainer_process.prepare_libraries(Path(sys.argv[1]))

import numpy as np  # noqa: E402
import torch  # noqa: E402
import ultralytics.data.build as library_build  # noqa: E402
import ultralytics.data.dataset as library_dataset  # noqa: E402
import ultralytics.data.utils as library_data  # noqa: E402
import ultralytics.engine.trainer as library_trainer  # noqa: E402
from ultralytics.cfg import get_cfg  # noqa: E402
from ultralytics.nn.tasks import DetectionModel  # noqa: E402
from ultralytics.utils import ONLINE, SETTINGS, callbacks  # noqa: E402
from ultralytics.utils.checks import check_font  # noqa: E402
from ultralytics.utils.torch_utils import select_device  # noqa: E402

from tests.training.prepared import photo  # noqa: E402
from tests.training.trainer_driver import prepare_pictures  # noqa: E402
from training import device_probe  # noqa: E402
from training import trainer_yolo as ours  # noqa: E402
from training.trainer_arguments import library_value  # noqa: E402
from training.trainer_dataset import PreparedDataset, check_picture, read_picture  # noqa: E402
from training.trainer_failures import Failure  # noqa: E402

_THEIRS = (library_dataset.YOLODataset, library_data.check_image)


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


def threads_of_a_processor() -> None:
    """A training on the processor leaves one core, or takes as many as the environment says."""
    most = max(1, min(8, len(os.sched_getaffinity(0)) - 1))
    for said, expected in (("", most), ("0", most), ("3", 3), ("1", 1)):
        os.environ["OMP_NUM_THREADS"] = said
        trainer_process.prepare_libraries(Path(sys.argv[1]))
        ours.restrain_library()
        select_device("cpu")
        assert torch.get_num_threads() == expected, (said, torch.get_num_threads())


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


def devices_are_chosen() -> None:
    """Without a GPU, automatic means the CPU and a number is refused."""
    if torch.cuda.is_available():
        return
    assert ours.choose_device("auto") == ours.choose_device("cpu") == "cpu"
    # A worker names its card by number: where that is gone, it is the card that failed.
    refused = {"0": "device_failed", "0,1": "unsupported_device", "/dev/x": "unsupported_device"}
    for wanted, code in refused.items():
        try:
            ours.choose_device(wanted)
            raise AssertionError(wanted)
        except Failure as failure:
            assert failure.code == code


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
    free = ours.take_over_arguments({**asked, "imgsz": 96, "patience": 7}, saved)
    assert (free["imgsz"], free["patience"]) == (96, 7)
    for other in ({"epochs": 5}, {"optimizer": "SGD"}, {"mosaic": 1.0}):
        try:
            ours.take_over_arguments({**asked, **other}, saved)
            raise AssertionError(other)
        except Failure as failure:
            assert failure.code == "checkpoint_mismatch"


def batches_are_those_that_the_library_would_make() -> None:
    """Prepared pictures give the same tensors to the last bit, in the same order."""
    plain, prepared = Path(sys.argv[1]) / "plain", Path(sys.argv[1]) / "prepared"
    for number, size in enumerate([(500, 375), (300, 400), (90, 60), (160, 160), (161, 90)] * 4):
        for split in ("train", "val"):
            _write_picture(plain, split, number, size)
    shutil.copytree(plain, prepared)
    prepare_pictures(prepared / "images", size=160)
    for mode, loaders in (("train", 0), ("train", 2), ("val", 0)):
        of_library = _batches(plain, mode, loaders, *_THEIRS)
        of_ours = _batches(prepared, mode, loaders, PreparedDataset, check_picture)
        assert len(of_library) == len(of_ours) > 5
        for one, other in zip(of_library, of_ours, strict=True):
            for name in ("img", "cls", "bboxes", "batch_idx"):
                assert torch.equal(one[name], other[name]), (mode, loaders, name)
            assert one["ori_shape"] == other["ori_shape"]
            assert one["ratio_pad"] == other["ratio_pad"]


def _write_picture(root: Path, split: str, number: int, size: tuple[int, int]) -> None:
    for kind in ("images", "labels"):
        (root / kind / split).mkdir(parents=True, exist_ok=True)
    data = photo(size, seed=number + 100 * (split == "val"))
    (root / "images" / split / f"{number:03}.jpg").write_bytes(data)
    rows = [f"0 0.{5 + row} 0.4 0.3 0.2\n" for row in range(number % 3)]
    (root / "labels" / split / f"{number:03}.txt").write_text("".join(rows))


def _batches(root: Path, mode: str, loaders: int, kind: Any, check: Any) -> list[Any]:
    """Return the batches of one and a half rounds, with all changes to pictures that there are."""
    library_build.YOLODataset, library_data.check_image = kind, check
    changes = {"mixup": 0.3, "cutmix": 0.3, "flipud": 0.5, "degrees": 5.0, "perspective": 0.0005}
    args = get_cfg(overrides={"task": "detect", "imgsz": 160, "cache": False, **changes})
    data = {"names": {0: "a"}, "nc": 1, "channels": 3}
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    dataset = library_build.build_yolo_dataset(
        args, str(root / "images" / mode), 3, data, mode=mode, rect=mode == "val", stride=32
    )
    assert type(dataset) is kind
    loader = library_build.build_dataloader(
        dataset, 3, loaders, shuffle=mode == "train", device="cpu"
    )
    found = [*loader, *loader][:10]
    loader.close()
    return found


def prepared_pictures_cannot_be_written_to() -> None:
    """What is mapped is of the file, and of all other runs on the host."""
    path = next((Path(sys.argv[1]) / "prepared").rglob("*.pixels"))
    pixels, _ = read_picture(str(path))
    try:
        pixels[0, 0] = 0
        raise AssertionError("written to")
    except ValueError:
        pass


def damaged_pictures_end_the_training_by_name() -> None:
    """A file that was cut meanwhile is never mapped past its end."""
    folder = Path(sys.argv[1]) / "prepared"
    dataset = _dataset(folder)
    path = Path(dataset.im_files[0])
    path.write_bytes(path.read_bytes()[:-1])
    try:
        dataset[0]
        raise AssertionError("it was read")
    except Failure as failure:
        assert failure.code == "data_error"
        assert path.name in failure.detail


def _dataset(root: Path) -> Any:
    library_data.check_image = check_picture
    args = get_cfg(overrides={"task": "detect", "imgsz": 160})
    data = {"names": {0: "a"}, "nc": 1, "channels": 3}
    return PreparedDataset(str(root / "images/val"), imgsz=160, hyp=args, data=data, augment=False)


def no_picture_of_another_kind_is_opened() -> None:
    """What the library would find and open beside them is not even looked at."""
    folder = Path(sys.argv[1]) / "prepared"
    (folder / "images/val/foreign.jpg").write_bytes(photo())
    assert all(name.endswith(".pixels") for name in _dataset(folder).im_files)
    ours.restrain_library()
    assert library_build.YOLODataset is PreparedDataset
    assert library_data.check_image is check_picture


def a_gpu_that_is_not_there_does_not_answer() -> None:
    """The probe of a failed GPU; where there is one, it calculates."""
    assert device_probe.main() == (0 if torch.cuda.is_available() else 1)


CHECKS = (
    safe_and_offline,
    no_cuda_in_a_spare,
    threads_of_a_processor,
    restrained,
    fonts_are_here,
    half_precision_is_judged_by_the_model_itself,
    devices_are_chosen,
    ranges_fit_the_library,
    every_scratch_model_is_known_to_the_library,
    every_optimizer_can_be_built,
    what_was_settled_is_taken_over,
    batches_are_those_that_the_library_would_make,
    prepared_pictures_cannot_be_written_to,
    damaged_pictures_end_the_training_by_name,
    no_picture_of_another_kind_is_opened,
    a_gpu_that_is_not_there_does_not_answer,
)

if __name__ == "__main__":
    import traceback

    for check in CHECKS:
        try:
            check()
            print("ok", check.__name__, flush=True)
        except Exception:  # noqa: BLE001  every check has its say
            print("failed", check.__name__, traceback.format_exc(), flush=True)
