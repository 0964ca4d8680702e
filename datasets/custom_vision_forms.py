"""What the page asks for that imports from Custom Vision."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets.custom_vision_preview import address_of
from datasets.forms import ImportForm
from jobs.errors import UserError
from projects.models import Project

_PASTED = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class ConnectionForm(forms.Form):
    """Where a project is, and the key that opens it; all of it as it is pasted."""

    endpoint = forms.CharField(
        label=_("Endpoint"),
        max_length=500,
        help_text=_("Like https://southeastasia.api.cognitive.microsoft.com; the rest is dropped."),
        widget=forms.TextInput(attrs={**_PASTED, "inputmode": "url"}),
    )
    custom_vision_project = forms.CharField(
        label=_("Project id"),
        max_length=500,
        help_text=_("Or the address of the project in the browser, which holds it."),
        widget=forms.TextInput(attrs=_PASTED),
    )
    training_key = forms.CharField(
        label=_("Training key"),
        max_length=200,
        help_text=_("Kept encrypted while the import runs, then deleted; shown to nobody."),
        # Never drawn again: after an error it has to be given once more.
        widget=forms.PasswordInput(attrs={**_PASTED, "autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        """Make an address of what was pasted."""
        data: dict[str, Any] = super().clean() or {}
        if "endpoint" not in data or "custom_vision_project" not in data:
            return data
        try:
            data["address"] = address_of(data["endpoint"], data["custom_vision_project"])
        except UserError as error:
            is_project = error.code == "custom_vision_project_id"
            field = "custom_vision_project" if is_project else "endpoint"
            self.add_error(field, f"{error.message} {error.hint}")
        return data


class CustomVisionImportForm(ConnectionForm, ImportForm):
    """A project of Custom Vision, where it goes, and how it is split."""

    include_untagged = forms.BooleanField(
        label=_("Take pictures without a tag as background"),
        required=False,
        help_text=_(
            "Only if nothing is to be found on them: they teach the model what nothing is."
        ),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, project=project, **kwargs)
        self.fields["dataset_name"].help_text = _("Where and when the pictures were taken.")
