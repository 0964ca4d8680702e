"""What the project pages ask for."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from projects.models import Project, Role
from projects.names import MAX_LENGTH, clean_name


class ProjectForm(forms.Form):
    """Name and description of a project."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_LENGTH,
        help_text=_("What the model will look for, or where: Beer shelves, Fridges in the south."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=2000,
        help_text=_("What others should know before they add pictures."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean_name(self) -> str:
        """Return the name in composed form."""
        return clean_name(self.cleaned_data["name"])


class DeleteProjectForm(forms.Form):
    """Asks for the project's name, so that nobody deletes the wrong one."""

    name = forms.CharField(
        label=_("Name of the project"),
        help_text=_("Type it as it stands above."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_name(self) -> str:
        """Refuse another name."""
        name = clean_name(self.cleaned_data["name"])
        if name != self.project.name:
            raise forms.ValidationError(_("This is not the name of this project."))
        return name


class MemberForm(forms.Form):
    """Adds a person to a project."""

    username = forms.CharField(
        label=_("Username"),
        help_text=_("The name with which the person signs in; administrators create users."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=Role.choices,
        initial=Role.EDITOR,
        help_text=_(
            "Viewers look and detect objects; editors also import and train; "
            "owners also manage the project."
        ),
    )

    def clean_username(self) -> User:
        """Return the user.

        Raises:
            ValidationError: nobody has this name.
        """
        user = User.objects.filter(username=self.cleaned_data["username"].strip()).first()
        if user is None:
            raise forms.ValidationError(_("Nobody here has this username."))
        return user


class RoleForm(forms.Form):
    """Changes a member's role."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)
