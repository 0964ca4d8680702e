"""Every parameter of a training, declared once: for the form, the API and the checks.

The names are those of the training library, so that an engineer finds them in its documentation;
labels and help are for people who do not know it. Nothing outside this list reaches the library.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from training.base_models import BASE_MODELS, most_frozen
from training.gpu_classes import CPU
from training.option import InvalidOptionsError, Option, OptionError, RefusedValueError, Text, Value
from training.trainer_arguments import select_options

Options = dict[str, Value]


def _integer(
    name: str, label: Text, default: int, span: tuple[int, int], text: Text, **more: Any
) -> Option:
    limits: dict[str, Any] = {"default": default, "minimum": span[0], "maximum": span[1]}
    return Option(name=name, label=label, help=text, type="integer", **limits, **more)


def _number(
    name: str, label: Text, default: float, span: tuple[float, float], text: Text, **more: Any
) -> Option:
    limits: dict[str, Any] = {"default": default, "minimum": span[0], "maximum": span[1]}
    more = {"group": "advanced", **more}
    return Option(name=name, label=label, help=text, type="number", **limits, **more)


_NAMES = ("SGD", "MuSGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop")
_OPTIMIZERS: tuple[tuple[str, Text], ...] = (
    ("auto", _("Automatic")),
    *((name, name) for name in _NAMES),
)

#: What the trainer makes of them: trainer_arguments.py.
_PRECISIONS: tuple[tuple[str, Text], ...] = (
    ("auto", _("Automatic")),
    ("bf16", _("bfloat16")),
    ("fp32", _("Full (32 bits)")),
)

_BASIC = (
    _integer(
        "epochs", _("Epochs"), 100, (1, 5000),
        _("How many times all pictures are gone through; more can be better, and takes longer."),
        group="basic",
    ),
    _integer(
        "patience", _("Patience"), 50, (0, 5000),
        _("Ends the training after so many epochs without getting better; 0 never ends early."),
        group="basic",
    ),
    _integer(
        "batch", _("Batch size"), 16, (1, 512),
        _("How many pictures are learned from at once; more is steadier and needs more memory."),
        group="basic", special={-1: _("automatic")},
    ),
    _integer(
        "imgsz", _("Image size"), 640, (64, 2048),
        _("Pictures are scaled to so many pixels; larger finds smaller things and takes longer."),
        group="basic", multiple_of=32,
    ),
    Option(
        name="optimizer", label=_("Optimizer"), type="choice", default="auto", group="basic",
        choices=_OPTIMIZERS,
        help=_("How the model is corrected at each step; automatic suits nearly every data set."),
    ),
    _number(
        "lr0", _("Initial learning rate"), 0.01, (1e-6, 1.0),
        _("How strongly the model changes at first; too high learns nothing, too low is slow."),
        group="basic",
    ),
    _number(
        "lrf", _("Final learning rate factor"), 0.01, (0.0, 1.0),
        _("The learning rate falls to this share of the initial one; lower settles more finely."),
        group="basic",
    ),
    _integer(
        "seed", _("Seed"), 0, (0, 2**31 - 2),
        _("The same number repeats the same training; another gives a slightly different model."),
        group="basic",
    ),
)  # fmt: skip

_ADVANCED = (
    _number(
        "time_limit", _("Time limit in hours"), 0.0, (0.0, 1000.0),
        _("Ends in time before so many hours of training and keeps the best model; 0: no limit."),
    ),
    Option(
        name="amp", label=pgettext_lazy("of numbers", "Precision"), type="choice",
        default="auto", group="advanced", choices=_PRECISIONS,
        help=_("Automatic computes in 16 bits where that is right: half the memory, and faster."),
    ),
    _number(
        "warmup_epochs", _("Warm-up epochs"), 3.0, (0.0, 100.0),
        _("The learning rate rises slowly over these epochs, so that the start goes not astray."),
    ),
    _number(
        "momentum", _("Momentum"), 0.937, (0.0, 0.999),
        _("How much of the last correction each step keeps; higher is smoother, reacts later."),
    ),
    _number(
        "weight_decay", _("Weight decay"), 0.0005, (0.0, 0.1),
        _("Keeps the model from learning pictures by heart; too much keeps it from learning."),
    ),
    Option(
        name="cos_lr", label=_("Cosine learning rate"), type="boolean", default=False,
        group="advanced",
        help=_("The learning rate falls along a curve, not a line; can help long trainings."),
    ),
    _number(
        "box", _("Weight of position"), 7.5, (0.0, 20.0),
        _("Higher makes boxes fit more tightly, at the expense of telling classes apart."),
    ),
    _number(
        "cls", _("Weight of class"), 0.5, (0.0, 20.0),
        _("Higher tells classes apart better, at the expense of tight boxes."),
    ),
    _number(
        "dfl", _("Weight of edges"), 1.5, (0.0, 20.0),
        _("Higher makes blurred or hidden edges of a box be found more exactly."),
    ),
    _number(
        "cls_pw", _("Balance of classes"), 0.0, (0.0, 1.0),
        _("Higher gives classes with few boxes more weight; 0 treats every box alike."),
    ),
    _integer(
        "freeze", _("Frozen layers"), 0, (0, 22),
        _("So many first layers stay as they are: faster, and good with few pictures."),
        group="advanced",
    ),
    _number(
        "multi_scale", _("Changing image size"), 0.0, (0.0, 0.5),
        _("Varies the image size by up to this share, so that near and far are found alike."),
    ),
    _number(
        "mosaic", _("Mosaic"), 1.0, (0.0, 1.0),
        _("Share of pictures put together from four; helps with small and crowded things."),
    ),
    _integer(
        "close_mosaic", _("Last epochs without mosaic"), 10, (0, 5000),
        _("The last epochs learn from whole pictures, as they will be seen later."),
        group="advanced",
    ),
    _number(
        "mixup", _("Blended pictures"), 0.0, (0.0, 1.0),
        _("Share of pictures laid over one another; helps against learning by heart."),
    ),
    _number(
        "cutmix", _("Pasted patches"), 0.0, (0.0, 1.0),
        _("Share of pictures with a patch of another; helps with things half hidden."),
    ),
    _number(
        "degrees", _("Rotation"), 0.0, (0.0, 180.0),
        _("Turns pictures by up to so many degrees, for things photographed askew."),
    ),
    _number(
        "translate", _("Shift"), 0.1, (0.0, 1.0),
        _("Moves pictures by up to this share, for things that are cut off at the edge."),
    ),
    _number(
        "scale", _("Zoom"), 0.5, (0.0, 1.0),
        _("Enlarges or shrinks pictures by up to this share, for things near and far."),
    ),
    _number(
        "shear", _("Slant"), 0.0, (0.0, 45.0),
        _("Slants pictures by up to so many degrees, for photos taken from the side."),
    ),
    _number(
        "perspective", _("Perspective"), 0.0, (0.0, 0.001),
        _("Tilts pictures slightly, for photos taken from above or below."),
    ),
    _number(
        "fliplr", _("Mirror left and right"), 0.5, (0.0, 1.0),
        _("Share of pictures that are mirrored; set 0 where left and right matter."),
    ),
    _number(
        "flipud", _("Mirror top and bottom"), 0.0, (0.0, 1.0),
        _("Share of pictures put upside down; only for things seen from above."),
    ),
    _number(
        "hsv_h", _("Change of hue"), 0.015, (0.0, 1.0),
        _("Shifts colours by up to this share; keep it low where colour tells classes apart."),
    ),
    _number(
        "hsv_s", _("Change of saturation"), 0.7, (0.0, 1.0),
        _("Makes colours paler or stronger by up to this share, for other cameras."),
    ),
    _number(
        "hsv_v", _("Change of brightness"), 0.4, (0.0, 1.0),
        _("Makes pictures darker or brighter by up to this share, for other light."),
    ),
)  # fmt: skip

BASIC_NAMES = tuple(option.name for option in _BASIC)
OPTIONS: dict[str, Option] = {option.name: option for option in (*_BASIC, *_ADVANCED)}
#: Seen to by the supervisor, over all attempts of a run; unknown to the training library.
OWN_NAMES = frozenset({"time_limit"})


def describe_options() -> dict[str, list[dict[str, Any]]]:
    """Return base models and parameters as the API gives them, in the active language."""
    return {
        "base_models": [model.as_json() for model in BASE_MODELS.values()],
        "parameters": [option.as_json() for option in OPTIONS.values()],
    }


def default_options() -> Options:
    """Return every option with its default."""
    return {name: option.default for name, option in OPTIONS.items()}


def validate_options(raw: Mapping[str, Any], *, architecture: str = "") -> Options:
    """Return every option with a checked value; what is not given gets its default.

    Args:
        raw: values by name, from JSON or a form; those in `advanced` count as if outside.
        architecture: of the network that is trained, such as `yolo12n`; empty: any.

    Raises:
        InvalidOptionsError: names every value that is unknown, given twice, or out of its range.
    """
    values, errors = _flatten(raw)
    checked: Options = {}
    for name, option in OPTIONS.items():
        try:
            checked[name] = option.parse(values.pop(name, None))
        except RefusedValueError as refused:
            errors.append(OptionError(name, refused.code, refused.detail, refused.params))
    errors += _too_much_frozen(checked, architecture)
    errors += [_error(name, "unknown", gettext("There is no such parameter.")) for name in values]
    if errors:
        raise InvalidOptionsError(errors)
    return checked


def _flatten(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[OptionError]]:
    values = {str(name): value for name, value in raw.items() if name != "advanced"}
    nested = raw.get("advanced")
    if nested is None or nested == "":
        return values, []
    if not isinstance(nested, Mapping):
        return values, [_error("advanced", "not_an_object", gettext("Must be an object."))]
    twice = [str(name) for name in nested if name in values]
    values |= {str(name): value for name, value in nested.items() if name not in values}
    return values, [_error(name, "given_twice", gettext("Is given twice.")) for name in twice]


def _too_much_frozen(options: Options, architecture: str) -> list[OptionError]:
    found = most_frozen(architecture)
    if found is None or int(options.get("freeze", 0)) <= found[0]:
        return []
    params = {"minimum": 0, "maximum": found[0], "family": found[1]}
    detail = gettext(
        "Must be between {minimum} and {maximum} with {family}: its last layer has to learn."
    )
    return [OptionError("freeze", "out_of_range", detail.format(**params), params)]


def _error(name: str, code: str, detail: str) -> OptionError:
    return OptionError(name[:100], code, detail, {})


def to_train_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for the trainer: of any mapping, only what is declared for the library.

    A run of an earlier release may lack options that came since: those get their defaults.
    """
    return select_options({**default_options(), **options})


def final_learning_rate(options: Mapping[str, Any]) -> float | None:
    """Return the learning rate of the last epoch; None where the optimizer is chosen by itself."""
    if options["optimizer"] == "auto":
        return None
    return float(options["lr0"]) * float(options["lrf"])


def has_no_effect(
    options: Mapping[str, Any], *, gpu_class: str = "", classes: int | None = None
) -> dict[str, Text]:
    """Return the options that change nothing beside the others, each with the reason.

    Args:
        gpu_class: of the card that it runs on, empty where that is open.
        classes: with boxes in the data, None where that is open.
    """
    found: dict[str, Text] = {}
    if options["optimizer"] == "auto":
        found["lr0"] = _("The automatic optimizer chooses the initial learning rate itself.")
        found["momentum"] = _("The automatic optimizer chooses the momentum itself.")
    if options["patience"] >= options["epochs"]:
        found["patience"] = _("The training has no more epochs than it would wait for.")
    if options["close_mosaic"] >= options["epochs"]:
        whole = _("All epochs are set to learn from whole pictures.")
        found |= dict.fromkeys(("mosaic", "mixup", "cutmix"), whole)
    elif options["mosaic"] == 0 and options["mixup"] == 0 and options["cutmix"] == 0:
        found["close_mosaic"] = _("No picture is put together from others.")
    if options["epochs"] == 1 and options["warmup_epochs"] > 0:
        found["warmup_epochs"] = _("A training of one epoch has no warm-up.")
    if options["lrf"] == 1:
        found["cos_lr"] = _("The learning rate does not fall: its final factor is 1.")
    if classes is not None and classes < 2:
        found["cls_pw"] = _("There is only one class with boxes.")
    if gpu_class == CPU:
        found["amp"] = _("Without a graphics card everything is computed in 32 bits.")
    return found
