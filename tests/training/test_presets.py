"""Presets suit the data and the card, and are settings that a training takes."""

from typing import Any

import pytest

from accounts.models import User
from jobs.worker_rows import Worker
from projects.models import Project
from tests.factories import make_dataset, make_version
from tests.personas import ClientFactory
from training import pretrained
from training.base_models import BASE_MODELS
from training.experience_row import Experience
from training.memory import fitting_batch, needed_mb
from training.options import validate_options
from training.presets import Preset, presets_for

SMALL = {"box_sizes": [{"size": "small", "boxes": 90}, {"size": "large", "boxes": 10}]}
LARGE = {"box_sizes": [{"size": "small", "boxes": 5}, {"size": "large", "boxes": 95}]}


def presets(memory_mb: int | None = None, **fields: Any) -> dict[str, Preset]:
    version = make_version(**fields)
    card = memory_mb and Worker(gpu_class="t4", gpu_name="Tesla T4", gpu_memory_mb=memory_mb)
    return {preset.name: preset for preset in presets_for(version, card=card or None)}


@pytest.mark.django_db
@pytest.mark.parametrize("memory_mb", [None, 4_000, 16_000, 80_000])
@pytest.mark.parametrize("images", [1, 8, 400, 100_000])
def test_each_is_accepted_as_it_stands(memory_mb: int | None, images: int) -> None:
    for preset in presets(memory_mb, train_images=images, health=SMALL).values():
        assert preset.base_model in BASE_MODELS
        assert validate_options(preset.options)
        assert preset.options["batch"] <= images


@pytest.mark.django_db
def test_they_take_longer_in_their_order_and_few_pictures_are_gone_through_more_often() -> None:
    few, many = presets(train_images=100), presets(train_images=5_000)
    epochs = [few[name].options["epochs"] for name in ("quick", "balanced", "best")]
    assert epochs == sorted(epochs) and len(set(epochs)) == 3
    assert all(few[name].options["epochs"] > many[name].options["epochs"] for name in few)


@pytest.mark.django_db
def test_each_takes_back_what_another_one_set() -> None:
    found = presets(16_000)
    assert len({frozenset(preset.options) for preset in found.values()}) == 1
    assert found["best"].options["cos_lr"] and not found["quick"].options["cos_lr"]


@pytest.mark.django_db
def test_small_things_are_looked_at_larger_where_a_card_is() -> None:
    sizes = {
        (bool(card), name): presets(card, health=health)["balanced"].options["imgsz"]
        for card in (None, 16_000)
        for name, health in (("small", SMALL), ("large", LARGE))
    }
    assert sizes == {
        (False, "small"): 640,
        (False, "large"): 640,
        (True, "small"): 960,
        (True, "large"): 640,
    }


@pytest.mark.django_db
@pytest.mark.parametrize("memory_mb", [6_000, 16_000, 40_000])
def test_a_batch_fits_into_the_card(memory_mb: int) -> None:
    for preset in presets(memory_mb, train_images=5_000, health=SMALL).values():
        size = preset.base_model.removesuffix("-scratch")
        options = preset.options
        needed = needed_mb(size, imgsz=int(options["imgsz"]), batch=int(options["batch"]))
        assert needed <= memory_mb, preset


def test_a_larger_card_takes_a_larger_batch() -> None:
    batches = [fitting_batch("yolo11m", imgsz=640, memory_mb=mb) for mb in (1_000, 16_000, 80_000)]
    assert batches == [None, 16, 64]


@pytest.mark.django_db
def test_a_batch_that_ran_out_of_memory_here_is_not_proposed_again() -> None:
    same = {"gpu_class": "t4", "architecture": "yolo26n", "imgsz": 640, "precision": "mixed"}
    before = presets(16_000, train_images=5_000)["quick"]
    assert (before.base_model, before.options["batch"]) == ("yolo26n-scratch", 64)
    Experience.objects.create(**same, device="Tesla T4", batch=32, was_too_large=True)
    Experience.objects.create(**same, device="NVIDIA T4G", batch=8, was_too_large=True)
    assert presets(16_000, train_images=5_000)["quick"].options["batch"] == 24


@pytest.mark.django_db
def test_a_model_with_weights_comes_first(settings: Any, tmp_path: Any) -> None:
    settings.WEIGHTS_DIR = str(tmp_path)
    assert presets()["quick"].base_model == "yolo26n-scratch"
    (tmp_path / "yolov8n.pt").touch()
    assert presets()["best"].base_model == "yolov8n"
    settings.WEIGHTS_URL = "https://example.test/"
    assert pretrained.may_be_fetched()
    assert presets(80_000)["best"].base_model == "yolo11m"


@pytest.mark.django_db
def test_a_larger_model_than_fits_is_not_taken_for_its_weights(
    settings: Any, tmp_path: Any
) -> None:
    settings.WEIGHTS_DIR = str(tmp_path)
    (tmp_path / "yolo11x.pt").touch()
    assert presets()["quick"].base_model == "yolo26n-scratch"
    assert presets(80_000)["best"].base_model == "yolo26m-scratch"
    (tmp_path / "yolov8s.pt").touch()
    assert presets(80_000)["best"].base_model == "yolov8s"


@pytest.mark.django_db
def test_the_api_gives_them_for_data_that_one_may_see(
    project: Project, viewer: User, outsider: User, api: ClientFactory
) -> None:
    version = make_version(make_dataset(project))
    address = f"/api/v1/training-presets/?dataset_version={version.pk}"
    answer = api(viewer).get(address, headers={"Accept-Language": "vi"})
    assert answer.status_code == 200, answer.json()
    found = answer.json()["results"]
    assert [row["name"] for row in found] == ["quick", "balanced", "best"]
    assert found[0]["label"] == "Thử nhanh" and found[0]["options"]["imgsz"] == 640
    refused = api(outsider).get(address)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "does_not_exist"
    assert api(viewer).get("/api/v1/training-presets/").status_code == 400
