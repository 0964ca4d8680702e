"""What the API of training runs offers on their results: predictions, repetition, comparison."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.idempotency import idempotent
from datasets.materialize import class_names
from jobs.errors import UserError
from projects.viewsets import ProjectScopedViewSet
from training import services
from training.comparison import Comparison
from training.comparison_serializers import RunCompareQuerySerializer, RunComparisonSerializer
from training.option import InvalidOptionsError
from training.option_errors import refused
from training.result_serializers import PredictionsQuerySerializer, PredictionsSerializer
from training.serializers import RunSerializer
from training.stored_results import pictures, read_predictions


class RunResultsMixin(ProjectScopedViewSet):
    """Adds `predictions/`, `repeat/` and `compare/` to the viewset of runs."""

    @extend_schema(parameters=[PredictionsQuerySerializer], responses=PredictionsSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def predictions(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return what the model finds on validation pictures, beside what is really there."""
        query = PredictionsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        start, limit = query.validated_data["start"], query.validated_data["limit"]
        run = self.get_object()
        document = read_predictions(run)
        if not document:
            raise UserError("no_predictions")
        found = pictures(run, document, start, start + limit)
        rows = {**document, "kept": len(document["pictures"]), "results": found}
        names = class_names(run.dataset_version)
        context = {**self.get_serializer_context(), "names": names}
        return Response(PredictionsSerializer(rows, context=context).data)

    @extend_schema(request=None, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    @idempotent()
    def repeat(self, request: Request, *_: Any, **__: Any) -> Response:
        """Queue the very same training again: same data, start, options and seed."""
        try:
            run = services.repeat_run(run=self.get_object(), user=self.user)
        except InvalidOptionsError as invalid:
            raise refused(invalid) from invalid
        return Response(self.shown(run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[RunCompareQuerySerializer], responses=RunComparisonSerializer)
    @action(detail=False, filter_backends=[], pagination_class=None)
    def compare(self, request: Request, *_: Any, **__: Any) -> Response:
        """Compare two to six runs of one project: figures, classes, curves, parameters, data."""
        query = RunCompareQuerySerializer(data=request.query_params, context={"request": request})
        query.is_valid(raise_exception=True)
        found = Comparison(query.validated_data["run"])
        return Response(RunComparisonSerializer(found).data)
