"""Small pieces that every page draws: icons, badges, times, form controls."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma, naturaltime
from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cvtrainer_site.phases import phase_labels
from jobs import errors
from jobs.states import Status

register = template.Library()

TONES = {
    Status.QUEUED: "",
    Status.RUNNING: "is-live",
    Status.STOPPING: "is-warn",
    Status.SUCCEEDED: "is-good",
    Status.FAILED: "is-bad",
    Status.CANCELED: "",
    # Dataset versions
    "importing": "is-live",
    "review": "is-warn",
    "ready": "is-good",
    # Workers
    "busy": "is-live",
    "idle": "is-good",
    "starting": "",
    "waiting": "is-warn",
    "draining": "is-warn",
    "drained": "is-warn",
    "refused": "is-bad",
    "lost": "is-bad",
}
_CLASSES = {CheckboxInput: "form-check-input", Select: "form-select", RadioSelect: ""}


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """Draw an icon of `static/icons.txt`; beside words it is silent to screen readers."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        css,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def badge(status: str, label: str) -> SafeString:
    """Draw a status with its word: colour never speaks alone."""
    return format_html(
        '<span class="badge-status {}" data-status="{}">{}</span>',
        TONES.get(status, ""),
        status,
        label,
    )


@register.simple_tag
def ago(value: datetime | None) -> SafeString:
    """Draw a time as people say it, with the exact one on hover."""
    if value is None:
        return SafeString("–")
    local = timezone.localtime(value)
    exact = formats.date_format(local, "DATETIME_FORMAT")
    is_recent = abs(timezone.now() - value) < timedelta(days=1)
    text = naturaltime(value) if is_recent else formats.date_format(local, "SHORT_DATE_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(), exact, text)


@register.simple_tag
def problem(error: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what a job's error says to a person: message and hint."""
    row = error or {"code": "internal"}
    message, hint = errors.describe(str(row.get("code")), row.get("params"))
    return {"message": message, "hint": hint}


@register.simple_tag
def warning(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what a warning of a version says to a person: message, with how many, and hint."""
    code, count, examples = str(row.get("code")), row.get("count", 0), row.get("examples") or [""]
    values = {"name": examples[0], **row.get("params", {}), "count": count}
    message, hint = errors.describe(code, values)
    if count > 1 and message == errors.describe(code, {**values, "count": 0})[0]:
        # A sentence about one file, of which there are several.
        message = f"{message} ({intcomma(count)})"
    return {"message": message, "hint": hint}


@register.simple_tag
def phases() -> dict[str, str]:
    """Return the names of all phases, for `json_script`."""
    return {code: str(label) for code, label in phase_labels().items()}


@register.filter
def phase(code: str) -> str:
    """Return the name of a phase of work."""
    labels = phase_labels()
    return str(labels.get(code) or labels["working"])


@register.filter
def lookup(mapping: Mapping[Any, Any], key: object) -> Any:
    """Return `mapping[key]`, or nothing."""
    return mapping.get(key)


@register.filter
def is_check(field: BoundField) -> bool:
    """Tell whether a field is one tick box."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def is_select(field: BoundField) -> bool:
    """Tell whether a field is a list to choose from."""
    return isinstance(field.field.widget, Select)


@register.filter
def is_choice(field: BoundField) -> bool:
    """Tell whether a field is a group of choices."""
    return isinstance(field.field.widget, RadioSelect | CheckboxSelectMultiple)


@register.filter
def tick(option: BoundWidget) -> SafeString:
    """Draw one box of a group of choices."""
    option.data["attrs"]["class"] = "form-check-input"
    return SafeString(option.tag(wrap_label=False))


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form control with its classes, tied to its help and errors."""
    widget = field.field.widget
    css = next((css for kind, css in _CLASSES.items() if isinstance(widget, kind)), "form-control")
    described = [f"{field.id_for_label}-help"] if field.help_text else []
    described += [f"{field.id_for_label}-error"] if field.errors else []
    # No placeholders: they vanish when they are needed, and repeat the label.
    attrs: dict[str, str | bool] = {
        "class": f"{css} {widget.attrs.get('class', '')}".strip(),
        "placeholder": "",
    }
    if isinstance(widget, CheckboxInput | Select):
        attrs.pop("placeholder")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if field.errors:
        attrs["aria-invalid"] = "true"
    return field.as_widget(attrs=attrs)
