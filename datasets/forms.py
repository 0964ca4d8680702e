"""What the pages of step 1 ask for."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from datasets.models import Dataset, Upload
from jobs.errors import UserError
from projects.models import Project
from projects.names import MAX_LENGTH, clean_name

DEFAULT_PERCENT = 20
_WHOLE = 100
_REPLACE, _ADD = "replace", "add"
_MODES = [
    (_REPLACE, _("Replace them: only what is imported now")),
    (_ADD, _("Add to them: what is there stays in")),
]


class DatasetForm(forms.Form):
    """The name of a dataset."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_LENGTH,
        help_text=_("Where and when the pictures were taken."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_name(self) -> str:
        """Return the name in composed form."""
        return clean_name(self.cleaned_data["name"])


class _TestShareForm(forms.Form):
    """Asks for a third share, beside those of training and validation."""

    test_percent = forms.IntegerField(
        label=_("Test split ratio (%)"),
        initial=0,
        min_value=0,
        max_value=98,
        required=False,
        help_text=_("Kept out of training and validation, for a last measurement; 0 for none."),
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )

    def clean(self) -> dict[str, Any]:
        """Fill in what may be left out, and ask for something to train on."""
        data: dict[str, Any] = super().clean() or {}
        data["test_percent"] = data.get("test_percent") or 0
        if data.get("split_percent", 0) + data["test_percent"] >= _WHOLE:
            error = UserError("split_shares")
            self.add_error("test_percent", f"{error.message} {error.hint}")
        return data


class ResplitForm(_TestShareForm):
    """The share of the pictures that measures the model."""

    split_percent = forms.IntegerField(
        label=_("Validation split ratio (%)"),
        initial=DEFAULT_PERCENT,
        min_value=1,
        max_value=99,
        help_text=_("Makes a new version with the same pictures; this one stays as it is."),
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )


class ImportForm(_TestShareForm):
    """Where what is imported goes, and how it is split."""

    dataset = forms.ModelChoiceField(
        label=_("Dataset"),
        queryset=Dataset.objects.none(),
        required=False,
        empty_label=_("New dataset"),
        help_text=_("A new one, or the next version of one that is there."),
    )
    dataset_name = forms.CharField(
        label=_("Name of the new dataset"),
        required=False,
        max_length=MAX_LENGTH,
        help_text=_("Where and when the pictures were taken; left empty, the name of the file."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    split_percent = forms.IntegerField(
        label=_("Validation split ratio (%)"),
        initial=DEFAULT_PERCENT,
        min_value=1,
        max_value=99,
        help_text=_(
            "This share of the pictures is kept out of training, to measure how good the model is."
        ),
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )
    mode = forms.ChoiceField(
        label=_("The pictures that it has"),
        choices=_MODES,
        initial=_REPLACE,
        required=False,
        help_text=_("Earlier versions stay as they are in either case."),
    )
    review = forms.BooleanField(
        label=_("Let me check the classes before it is used"),
        initial=True,
        required=False,
        help_text=_("You see what was understood, and can rename, merge and remove classes."),
    )
    split_seed = forms.IntegerField(
        label=_("Seed of the split"),
        initial=0,
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text=_("The same number and the same ZIP give the same split again."),
        widget=forms.NumberInput(attrs={"class": "short", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["dataset"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Dataset.objects.filter(project=project)

    def clean(self) -> dict[str, Any]:
        """Fill in what may be left out."""
        data = super().clean()
        data["split_seed"] = data.get("split_seed") or 0
        data["adds"] = bool(data.get("dataset")) and data.get("mode") == _ADD
        return data

    def clean_dataset_name(self) -> str:
        """Return the name in composed form, or nothing."""
        name: str = self.cleaned_data["dataset_name"]
        return clean_name(name) if name.strip() else ""


class ZipImportForm(ImportForm):
    """A ZIP, where it goes, and how it is split."""

    file = forms.FileField(
        label=_("ZIP file"),
        required=False,  # the page's script sends it in pieces, and then the id of the upload
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
    )
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    keep_splits = forms.BooleanField(
        label=_("Keep the split that the ZIP brings"),
        initial=True,
        required=False,
        help_text=_("If it has folders for training and validation; otherwise the ratio applies."),
    )

    def __init__(
        self, *args: Any, project: Project, user: User | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, project=project, **kwargs)
        self._uploads = Upload.objects.filter(
            project=project, user=user, expires_at__gt=timezone.now()
        )

    def clean(self) -> dict[str, Any]:
        """Find the upload."""
        data = super().clean()
        if data.get("upload"):
            data["upload"] = self._find_upload(data["upload"])
        elif not data.get("file") and "file" not in self.errors:
            self.add_error("file", self.fields["file"].error_messages["required"])
        return data

    def _find_upload(self, upload_id: UUID) -> Upload | None:
        """Return the upload; what speaks against it is said where the file is chosen."""
        upload: Upload | None = self._uploads.filter(pk=upload_id).first()
        if upload is not None and upload.is_complete:
            return upload
        error = UserError("upload_gone")
        if upload is not None:
            error = UserError("upload_incomplete", offset=upload.offset, length=upload.length)
        self.add_error("file", f"{error.message} {error.hint}")
        return None
