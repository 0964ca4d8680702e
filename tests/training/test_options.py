"""The parameters of a training: what is accepted, what is refused, and what reaches the library."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from training.base_models import BASE_MODELS, DEFAULT_BASE_MODEL, most_frozen
from training.option import InvalidOptionsError
from training.options import (
    OPTIONS,
    OWN_NAMES,
    default_options,
    describe_options,
    final_learning_rate,
    has_no_effect,
    to_train_arguments,
    validate_options,
)
from training.trainer_arguments import OPTION_NAMES

BASIC = ["epochs", "patience", "batch", "imgsz", "optimizer", "lr0", "lrf", "seed"]
NUMBERS = [option for option in OPTIONS.values() if option.type in {"integer", "number"}]


def library_defaults() -> dict[str, Any]:
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None and spec.origin is not None
    return yaml.safe_load((Path(spec.origin).parent / "cfg/default.yaml").read_text())


def errors_of(raw: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidOptionsError) as caught:
        validate_options(raw)
    return {error.field: error.code for error in caught.value.errors}


def test_nothing_given_means_the_defaults():
    assert validate_options({}) == default_options()
    assert validate_options({"epochs": None, "lr0": "", "advanced": {}}) == default_options()


def test_defaults_pass_their_own_checks():
    assert validate_options(default_options()) == default_options()


def test_the_basic_ones_are_those_of_the_contract():
    assert [option.name for option in OPTIONS.values() if option.group == "basic"] == BASIC


def test_values_from_a_form_become_numbers():
    values = validate_options(
        {"epochs": " 20 ", "lr0": "1e-3", "cos_lr": "on", "optimizer": "adamw"}
    )
    assert (values["epochs"], values["lr0"]) == (20, 0.001)
    assert (values["cos_lr"], values["optimizer"]) == (True, "AdamW")


def test_advanced_values_may_stand_in_their_own_object():
    assert validate_options({"advanced": {"degrees": 10}})["degrees"] == 10.0


def test_a_value_given_twice_is_refused():
    assert errors_of({"degrees": 5, "advanced": {"degrees": 10}}) == {"degrees": "given_twice"}


def test_advanced_that_is_no_object_is_refused():
    assert errors_of({"advanced": [1]}) == {"advanced": "not_an_object"}


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_the_ends_of_a_range_are_in_and_what_lies_beyond_is_out(option):
    assert validate_options({option.name: option.minimum})[option.name] == option.minimum
    assert validate_options({option.name: option.maximum})[option.name] == option.maximum
    step = option.multiple_of if option.type == "integer" else 1e-6
    assert errors_of({option.name: option.maximum + step}) == {option.name: "out_of_range"}
    below = option.minimum - 3 * step
    assert errors_of({option.name: below}) == {option.name: "out_of_range"}


@pytest.mark.parametrize(
    ("language", "detail"),
    [("en", "Must be between 1 and 5000."), ("vi", "Phải nằm giữa 1 và 5000.")],
)
def test_a_refusal_names_the_field_and_its_range(language, detail):
    with translation.override(language), pytest.raises(InvalidOptionsError) as caught:
        validate_options({"epochs": 0})
    (error,) = caught.value.errors
    assert error.field == "epochs"
    assert error.params == {"minimum": 1, "maximum": 5000}
    assert error.detail == detail


def test_batch_may_be_automatic_and_nothing_else_below_one():
    assert validate_options({"batch": -1})["batch"] == -1
    with translation.override("en"), pytest.raises(InvalidOptionsError) as caught:
        validate_options({"batch": 0})
    assert caught.value.errors[0].detail == "Must be between 1 and 512, or -1 (automatic)."


def test_image_size_is_a_multiple_of_32():
    assert errors_of({"imgsz": 650}) == {"imgsz": "not_a_multiple"}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("epochs", True, "not_an_integer"),
        ("epochs", 1.5, "not_an_integer"),
        ("epochs", "1e3", "not_an_integer"),
        ("epochs", "9" * 5000, "not_an_integer"),
        ("epochs", 10**400, "out_of_range"),
        ("epochs", float("nan"), "not_an_integer"),
        ("epochs", [10], "not_an_integer"),
        ("lr0", False, "not_a_number"),
        ("lr0", float("nan"), "not_a_number"),
        ("lr0", float("inf"), "not_a_number"),
        ("lr0", "nan", "not_a_number"),
        ("lr0", "0,01", "not_a_number"),
        ("lr0", "1e999", "not_a_number"),
        ("lr0", 10**400, "out_of_range"),
        ("lr0", {"a": 1}, "not_a_number"),
        ("optimizer", "LBFGS", "not_a_choice"),
        ("optimizer", 1, "not_a_choice"),
        ("cos_lr", 1, "not_a_boolean"),
        ("cos_lr", "maybe", "not_a_boolean"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else f"int{value % 7}",
)
def test_a_wrong_value_is_refused(name, value, code):
    assert errors_of({name: value}) == {name: code}


def test_every_wrong_value_is_named_at_once():
    found = errors_of({"epochs": 0, "lr0": "x", "unheard_of": 1})
    assert found == {"epochs": "out_of_range", "lr0": "not_a_number", "unheard_of": "unknown"}


@pytest.mark.parametrize("name", sorted(set(library_defaults()) - set(OPTIONS)))
def test_no_other_argument_of_the_library_is_accepted(name):
    assert errors_of({name: "x"}) == {name: "unknown"}
    assert errors_of({"advanced": {name: "x"}}) == {name: "unknown"}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(library_defaults())), st.text() | st.integers()))
def test_only_the_closed_list_reaches_the_library(given_arguments):
    assert set(to_train_arguments(given_arguments)) <= set(OPTIONS)


def test_the_closed_list_is_what_is_declared_and_known_to_the_library():
    assert list(OPTION_NAMES) == [name for name in OPTIONS if name not in OWN_NAMES]
    assert set(OPTION_NAMES) <= set(library_defaults())
    assert not OWN_NAMES & set(library_defaults())


def test_what_leads_elsewhere_is_not_on_the_list():
    dangerous = {"project", "name", "save_dir", "data", "model", "cfg", "augmentations", "resume"}
    dangerous |= {"device", "workers", "cache", "pretrained", "exist_ok", "source", "distill_model"}
    assert not dangerous & set(OPTIONS)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text())
)
def test_whatever_is_given_is_checked_or_refused(raw):
    try:
        values = validate_options(raw)
    except InvalidOptionsError as refused:
        assert refused.errors
    else:
        assert set(values) == set(OPTIONS)


def test_the_final_learning_rate_is_the_rate_itself():
    values = validate_options({"optimizer": "SGD", "lr0": 0.02, "lrf": 0.1})
    assert final_learning_rate(values) == pytest.approx(0.002)
    assert final_learning_rate(default_options()) is None


def test_what_has_no_effect_is_said():
    assert set(has_no_effect(default_options())) == {"lr0", "momentum"}
    values = validate_options({"optimizer": "SGD", "epochs": 5, "patience": 5, "close_mosaic": 5})
    assert set(has_no_effect(values)) == {"patience", "mosaic", "mixup", "cutmix"}
    values = validate_options({"optimizer": "SGD", "mosaic": 0})
    assert set(has_no_effect(values)) == {"close_mosaic"}
    values = validate_options({"optimizer": "SGD", "cos_lr": True, "lrf": 1})
    assert set(has_no_effect(values)) == {"cos_lr"}


def test_what_has_no_effect_depends_on_the_card_and_the_data():
    values = validate_options({"optimizer": "SGD"})
    assert set(has_no_effect(values, gpu_class="cpu", classes=1)) == {"amp", "cls_pw"}
    assert has_no_effect(values, gpu_class="t4", classes=2) == {}


def layers_of(family: str) -> int:
    spec = importlib.util.find_spec("ultralytics")
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "cfg/models" / family.removeprefix("yolo")
    network = yaml.safe_load((folder / f"{family}.yaml").read_text())
    assert network["head"][-1][2] == "Detect"
    return len(network["backbone"]) + len(network["head"])


@pytest.mark.parametrize("family", sorted({model.family for model in BASE_MODELS.values()}))
def test_the_last_layer_of_a_family_is_never_frozen(family):
    most = layers_of(family) - 1
    assert most_frozen(f"{family}n-scratch")[0] == most
    limit = min(most, OPTIONS["freeze"].maximum)
    assert validate_options({"freeze": limit}, architecture=f"{family}n")["freeze"] == limit
    with pytest.raises(InvalidOptionsError) as caught:
        validate_options({"freeze": limit + 1}, architecture=f"{family}n")
    assert [error.field for error in caught.value.errors] == ["freeze"]


@pytest.mark.parametrize(("language", "told"), [("en", "0 and 21 with YOLO12"), ("vi", "YOLO12")])
def test_how_much_may_be_frozen_is_told_with_the_family(language, told):
    assert validate_options({"freeze": 22})["freeze"] == 22
    with translation.override(language), pytest.raises(InvalidOptionsError) as caught:
        validate_options({"freeze": 22}, architecture="yolo12s")
    assert told in caught.value.errors[0].detail


def test_the_description_is_enough_to_draw_a_form():
    described = json.loads(json.dumps(describe_options()))
    names = {"name", "label", "help", "type", "default", "minimum", "maximum", "choices", "group"}
    assert all(names <= set(entry) for entry in described["parameters"])
    assert len(described["base_models"]) == 40
    assert {"yolo26n", "yolo11n", "yolo12x", "yolov8s-scratch"} <= set(BASE_MODELS)
    assert DEFAULT_BASE_MODEL in BASE_MODELS


def test_the_precision_of_numbers_is_not_called_like_that_of_a_model():
    with translation.override("vi"):
        label = str(OPTIONS["amp"].label)
        assert label == "Độ chính xác số học (số bit)" != translation.gettext("Precision")


def test_help_is_one_sentence_that_does_not_repeat_the_name():
    with translation.override("en"):
        for option in OPTIONS.values():
            text = str(option.help)
            assert text.endswith(".") and text.count(". ") == 0, option.name
            assert option.name not in text.split(), option.name


def test_a_run_of_an_earlier_release_gets_the_defaults_of_what_came_since():
    options = default_options()
    del options["amp"]
    assert to_train_arguments(options) == to_train_arguments(default_options())
    assert "time_limit" not in to_train_arguments(default_options())
