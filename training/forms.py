"""What the page of a new training asks for: data, a model to start from, and every parameter."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.formats import get_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from datasets.models import DatasetVersion
from projects.models import Project
from projects.names import MAX_LENGTH, clean_name
from training.base_models import BASE_MODELS, DEFAULT_BASE_MODEL
from training.fleet import gpu_classes
from training.gpu_classes import CPU
from training.models import TrainedModel, TrainingRun
from training.option import InvalidOptionsError, Option, RefusedValueError, Value
from training.options import OPTIONS, Options, has_no_effect, validate_options
from training.pretrained import may_be_fetched, names_here
from training.priorities import USUAL, choices
from training.services import architecture_of

#: Learns without a file: what is offered first where no weights are here.
WITHOUT_WEIGHTS = "yolo26n-scratch"


def default_base_model() -> str:
    """Return the model to start from where nobody chose: pretrained if any weights are here."""
    here = names_here()
    if DEFAULT_BASE_MODEL in here:
        return DEFAULT_BASE_MODEL
    return next((name for name in BASE_MODELS if name in here), WITHOUT_WEIGHTS)


class TrainingForm(forms.Form):
    """Data, base model, name, and a field for each option of `training.options`."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    dataset_version = forms.ModelChoiceField(
        label=_("Data"),
        queryset=DatasetVersion.objects.none(),
        empty_label=None,
        help_text=_("The pictures that the model learns from, and those that it is measured on."),
    )
    base_model = forms.ChoiceField(
        label=_("Model to start from"),
        help_text=_("A pretrained one knows shapes already and needs far fewer pictures."),
    )
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=MAX_LENGTH,
        help_text=_("How you will find the model again; left empty, the project and a number."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    priority = forms.TypedChoiceField(
        label=_("Place in the queue"),
        required=False,
        coerce=int,
        empty_value=str(USUAL),
        help_text=_(
            "When it begins where several trainings wait; it can be changed while it waits."
        ),
    )

    def __init__(self, *args: Any, project: Project, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        self.fields["priority"].choices = choices(user)  # type: ignore[attr-defined]
        self.options: Options = {}
        self._offer_versions()
        self._offer_models()
        self._offer_gpu_classes()
        for option in OPTIONS.values():
            self.fields[option.name] = _field(option)

    @cached_property
    def own_models(self) -> dict[str, TrainedModel]:
        """Return the project's models that can be trained further, by id."""
        rows = TrainedModel.objects.filter(project=self.project)
        return {str(model.pk): model for model in rows.exclude(stage=TrainedModel.Stage.ARCHIVED)}

    @property
    def basic(self) -> list[forms.BoundField]:
        """Return the fields that stand open."""
        return self._group("basic")

    @property
    def advanced(self) -> list[forms.BoundField]:
        """Return the fields that are folded."""
        return self._group("advanced")

    @property
    def has_advanced_errors(self) -> bool:
        """Tell whether the fold must open for an error to be seen."""
        return any(field.errors for field in self.advanced)

    def clean_name(self) -> str:
        """Return the name in composed form, or nothing."""
        name: str = self.cleaned_data["name"]
        return clean_name(name) if name.strip() else ""

    def clean(self) -> dict[str, Any]:
        """Check all options together, so that each error stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        try:
            self.options = validate_options(self.typed_options(), architecture=self._architecture)
        except InvalidOptionsError as invalid:
            for error in invalid.errors:
                self.add_error(error.field, error.detail)
        return data

    def typed_options(self) -> dict[str, Any]:
        """Return the options as they were typed; a decimal comma is as good as a point."""
        typed = {name: self[name].data for name in OPTIONS}
        return {k: v.replace(",", ".") if isinstance(v, str) else v for k, v in typed.items()}

    @property
    def no_effect(self) -> dict[str, str]:
        """Return why some options change nothing beside the others; wrong values are passed by."""
        version = self.chosen_version
        classes = version.classes.filter(boxes__gt=0).count() if version else None
        found = has_no_effect(self.parsed_options, gpu_class=self._only_class, classes=classes)
        return {name: str(reason) for name, reason in found.items()}

    @property
    def parsed_options(self) -> Options:
        """Return the options as the form stands; a wrong value is the usual one until it is put
        right.
        """
        typed = self.typed_options() if self.is_bound else {n: self[n].value() for n in OPTIONS}
        return {name: _parsed(option, typed[name]) for name, option in OPTIONS.items()}

    @property
    def wanted_gpu_class(self) -> str:
        """Return the class of cards that is chosen, or nothing for any."""
        return str(self["gpu_class"].value() or "") if "gpu_class" in self.fields else ""

    @property
    def _only_class(self) -> str:
        """The class of cards that it will run on, empty where there are several."""
        known = gpu_classes()
        return self.wanted_gpu_class or (known[0] if len(known) == 1 else "")

    @property
    def _architecture(self) -> str:
        base_model = str(self["base_model"].value() or "")
        return architecture_of(base_model, self.own_models.get(base_model))

    @property
    def start(self) -> dict[str, Any]:
        """Return what `services.start_run` takes, from a valid form."""
        data = self.cleaned_data
        return {
            "dataset_version": data["dataset_version"],
            "base_model": data["base_model"],
            "start_model": self.own_models.get(data["base_model"]),
            "name": data["name"],
            "options": self.options,
            "gpu_class": data.get("gpu_class", ""),
            "priority": int(data["priority"]),
        }

    @property
    def chosen_version(self) -> DatasetVersion | None:
        """Return the version that is chosen, or would be if the form were sent as it is shown."""
        field = self.fields["dataset_version"]
        assert isinstance(field, forms.ModelChoiceField) and field.queryset is not None
        wanted = as_uuid(str(self["dataset_version"].value() or ""))
        found = field.queryset.filter(pk=wanted).first() if wanted else None
        return found or (None if self.is_bound else field.queryset.first())

    @property
    def has_versions(self) -> bool:
        """Whether there is data to train on."""
        field = self.fields["dataset_version"]
        assert isinstance(field, forms.ModelChoiceField)
        return bool(field.queryset is not None and field.queryset.exists())

    def _group(self, group: str) -> list[forms.BoundField]:
        return [self[option.name] for option in OPTIONS.values() if option.group == group]

    def _offer_versions(self) -> None:
        field = self.fields["dataset_version"]
        assert isinstance(field, forms.ModelChoiceField)
        rows = DatasetVersion.objects.filter(dataset__project=self.project).ready()
        field.queryset = rows.select_related("dataset")
        field.label_from_instance = _version_label  # type: ignore[method-assign, assignment]

    def _offer_models(self) -> None:
        field = self.fields["base_model"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, rows) for name, rows in self._model_groups() if rows]

    def _offer_gpu_classes(self) -> None:
        """Let people choose a kind of card where there are several."""
        wanted = self._class_of_another_run()
        known = sorted({*gpu_classes(), *filter(None, [wanted])})
        if len(known) < 2 and not wanted:
            return
        names = [(name, gettext("CPU only") if name == CPU else name.upper()) for name in known]
        self.fields["gpu_class"] = forms.ChoiceField(
            label=_("Graphics card"),
            required=False,
            choices=[("", gettext("Any")), *names],
            help_text=_("A faster card takes less time; with any, the training begins sooner."),
        )

    def _class_of_another_run(self) -> str:
        """Return the class that a run of the project asked for, where this form does so too.

        No worker may have it now: the run waits for one.
        """
        wanted = self.data.get("gpu_class") if self.is_bound else self.initial.get("gpu_class")
        runs = TrainingRun.objects.filter(project=self.project, gpu_class=str(wanted or ""))
        return str(wanted) if wanted and runs.exists() else ""

    def _model_groups(self) -> list[tuple[str, list[tuple[str, str]]]]:
        models, here = BASE_MODELS.values(), names_here()
        pretrained = [model for model in models if not model.is_scratch]
        elsewhere = (
            gettext("Pretrained, fetched from the net")
            if may_be_fetched()
            else gettext("Pretrained, but the weights are not on this server")
        )
        return [
            (gettext("Pretrained"), _choices(m for m in pretrained if m.name in here)),
            (gettext("Your models"), [(pk, str(model)) for pk, model in self.own_models.items()]),
            (gettext("From scratch"), _choices(m for m in models if m.is_scratch)),
            (elsewhere, _choices(m for m in pretrained if m.name not in here)),
        ]


def as_uuid(text: str) -> UUID | None:
    """Return an id out of an address, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _choices(models: Any) -> list[tuple[str, str]]:
    return [(model.name, model.label) for model in models]


def _version_label(version: Any) -> str:
    return gettext("{version} – {train} training and {val} validation pictures").format(
        version=version, train=version.train_images, val=version.val_images
    )


def _field(option: Option) -> forms.Field:
    """Return the field of an option; `validate_options` checks the value, not the field."""
    shown: dict[str, Any] = {
        "label": option.label,
        "required": False,
        "initial": plain_number(option.default) if option.type == "number" else option.default,
        "help_text": _help(option),
    }
    if option.type == "boolean":
        return forms.BooleanField(**shown)
    if option.type == "choice":
        return forms.ChoiceField(choices=list(option.choices), **shown)
    mode = "numeric" if option.type == "integer" else "decimal"
    attrs = {"class": "short", "inputmode": mode, "autocomplete": "off", "data-option": "1"}
    return forms.CharField(widget=forms.TextInput(attrs=attrs), **shown)


def _help(option: Option) -> Any:
    """Return what the option does to the result, and its range."""
    if option.type in {"boolean", "choice"}:
        return option.help
    special = "".join(f", {value}: {text}" for value, text in option.special.items())
    low, high = shown_number(option.minimum), shown_number(option.maximum)
    span = gettext("{minimum} to {maximum}").format(minimum=low, maximum=high)
    usual = gettext("usually {default}").format(default=shown_number(option.default))
    return format_html(
        '{} <span class="nowrap">({}{}; {})</span>', option.help, span, special, usual
    )


def plain_number(value: Any) -> str:
    """Return a number as people type it: 0.000001, not 1e-06."""
    return f"{value:.10f}".rstrip("0").rstrip(".")


def shown_number(value: Any) -> str:
    """Return a number as people read it: 0,01 in Vietnamese; a field still takes 0.01."""
    return plain_number(value).replace(".", get_format("DECIMAL_SEPARATOR"))


def _parsed(option: Option, typed: Any) -> Value:
    try:
        return option.parse(typed)
    except RefusedValueError:
        return option.default
