"""What the pages about oneself ask for."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Scope, User

_LIVES = [(30, _("30 days")), (90, _("90 days")), (365, _("One year"))]


class TokenForm(forms.Form):
    """A token for a program that works in the user's name.

    Args:
        user: whose roles bound what the token may do.
        projects: the projects that it may be confined to.
    """

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("So that you know later which program has it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What the program may do"),
        choices=Scope.choices,
        initial=[Scope.READ, Scope.DETECT],
        help_text=_("Never more than you may do yourself."),
        widget=forms.CheckboxSelectMultiple,
    )
    project = forms.ModelChoiceField(
        label=_("Project"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("All my projects"),
        help_text=_("The token reaches nothing outside of it."),
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        choices=_LIVES,
        initial=90,
        coerce=int,
        help_text=_("Afterwards the program is refused until you give it a new token."),
    )

    def __init__(self, *args: Any, projects: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["project"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = projects

    def clean(self) -> dict[str, Any]:
        """Turn the days into the moment at which the token ends."""
        data: dict[str, Any] = super().clean() or {}
        if days := data.pop("days", None):
            data["expires_at"] = timezone.now() + timedelta(days=days)
        return data
