"""What the project pages ask for."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from projects.models import Project, Role


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name and description of a project."""

    class Meta:
        model = Project
        fields = ["name", "description"]
        labels = {"name": _("Name"), "description": _("Description")}
        help_texts = {
            "name": _(
                "What the model will look for, or where: Beer shelves, Fridges in the south."
            ),
            "description": _("What others should know before they add pictures."),
        }
        widgets = {
            "name": forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
            "description": forms.Textarea(attrs={"rows": 3}),
        }


class DeleteProjectForm(forms.Form):
    """Asks for the project's name, so that nobody deletes the wrong one."""

    name = forms.CharField(
        label=_("Type the name of the project to delete it"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_name(self) -> str:
        """Refuse another name."""
        name = str(self.cleaned_data["name"])
        if name.strip() != self.project.name.strip():
            raise forms.ValidationError(_("This is not the name of this project."))
        return name


class MemberForm(forms.Form):
    """Adds a person to a project."""

    username = forms.CharField(
        label=_("Username"),
        help_text=_("The name with which the person signs in. Administrators create users."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=Role.choices,
        initial=Role.EDITOR,
        help_text=_(
            "Viewers look and detect objects; editors also import and train; "
            "owners also manage members."
        ),
    )


class RoleForm(forms.Form):
    """Changes a member's role."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
