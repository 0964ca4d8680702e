"""How the API takes and shows a comparison of runs."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from jobs.states import Status
from training.comparison import FEWEST, MOST, Comparison, comparable
from training.models import TrainingRun
from training.serializers import BestSerializer


class RunCompareQuerySerializer(serializers.Serializer[Any]):
    """`?run=&run=`: two to six runs of one project, which the caller may see."""

    run = serializers.ListField(child=serializers.UUIDField(), help_text="two to six runs")

    def validate_run(self, ids: list[Any]) -> list[TrainingRun]:
        """Find the runs.

        Raises:
            ValidationError: too few or too many, one that does not exist, or of another project.
        """
        wanted = list(dict.fromkeys(ids))
        if not FEWEST <= len(wanted) <= MOST:
            raise serializers.ValidationError(
                _("Two to six training runs can be compared."), code="how_many"
            )
        runs = comparable(TrainingRun.objects.visible_to(self.context["request"].user), wanted)
        if len(runs) < len(wanted):
            missing = next(pk for pk in wanted if pk not in {run.pk for run in runs})
            raise serializers.ValidationError(
                _("There is no training run {run}.").format(run=missing), code="does_not_exist"
            )
        if len({run.project_id for run in runs}) > 1:
            raise serializers.ValidationError(
                _("Only training runs of one project can be compared."), code="other_project"
            )
        return runs


class RowSerializer(serializers.Serializer[Any]):
    """One thing in all runs, in their order; `best` are the indexes of the better ones."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    values = serializers.ListField(child=serializers.JSONField(allow_null=True))
    best = serializers.ListField(child=serializers.IntegerField())
    no_effect = serializers.ListField(child=serializers.IntegerField())
    is_different = serializers.BooleanField()


class ComparedRunSerializer(serializers.Serializer[TrainingRun]):
    """A run of a comparison."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=Status.choices)
    epoch = serializers.IntegerField()
    epochs = serializers.IntegerField(source="options.epochs")
    best = BestSerializer(allow_null=True)
    model = serializers.SerializerMethodField()
    dataset_version = serializers.UUIDField(source="dataset_version_id")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_model(self, run: TrainingRun) -> str | None:
        """Return the id of the model that the run made."""
        model = getattr(run, "model", None)
        return str(model.pk) if model is not None else None


class CurveSerializer(serializers.Serializer[Any]):
    """All epochs of a run by columns: `val/map50`, `train/box_loss`, `lr` and the like."""

    run = serializers.UUIDField()
    epochs = serializers.ListField(child=serializers.IntegerField())
    seconds = serializers.ListField(child=serializers.FloatField())
    metrics = serializers.DictField(
        child=serializers.ListField(child=serializers.FloatField(allow_null=True))
    )


class RunComparisonSerializer(serializers.Serializer[Comparison]):
    """Runs beside one another; each row has a value for each run, in the order of `runs`."""

    runs = ComparedRunSerializer(many=True)
    figures = RowSerializer(many=True)
    classes = RowSerializer(many=True)
    parameters = RowSerializer(many=True)
    data = RowSerializer(many=True)  # type: ignore[assignment]
    is_same_data = serializers.BooleanField()
    machine = RowSerializer(many=True)
    curves = CurveSerializer(many=True)
