"""What the pages of step 3 ask for beyond pictures."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets.models import DatasetImage, DatasetVersion
from training.models import TrainedModel


class EvaluationForm(forms.Form):
    """On which pictures a model is measured."""

    dataset_version = forms.ModelChoiceField(
        label=_("Data"), queryset=DatasetVersion.objects.none(), empty_label=None
    )
    split = forms.ChoiceField(
        label=_("Pictures"), choices=DatasetImage.Split.choices, initial=DatasetImage.Split.VAL
    )

    def __init__(self, *args: Any, model: TrainedModel, **kwargs: Any) -> None:
        initial = {"dataset_version": model.dataset_version_id}
        super().__init__(*args, **{"initial": initial, **kwargs})
        field = self.fields["dataset_version"]
        assert isinstance(field, forms.ModelChoiceField)
        rows = DatasetVersion.objects.filter(dataset__project=model.project_id).ready()
        field.queryset = rows.select_related("dataset")


class StageForm(forms.Form):
    """How far a model is trusted from now on."""

    stage = forms.ChoiceField(choices=TrainedModel.Stage.choices)
