"""The pages of a model and of its evaluations: may it be trusted, and what was it made from."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

import detection.errors  # noqa: F401  registers the codes
import training.errors  # noqa: F401  registers the codes
from datasets.baselines import baseline_of
from detection import services
from detection.forms import EvaluationForm, StageForm
from detection.models import Evaluation
from jobs import queue
from jobs.errors import UserError
from jobs.states import Status
from projects.access import EDITORS
from projects.pages import current_user, render_page, require_role
from training.class_tables import class_lines, confusion_rows, figure_lines
from training.models import TrainedModel
from training.services import update_model

_EVALUATIONS_SHOWN = 20


@require_safe
@login_required
def model_detail(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """Show how good a model is, where it comes from, and what can be done with it."""
    return _model_page(request, _model(request, model_id))


@require_POST
@login_required
def model_stage(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """Put a model into use, or take it out."""
    model = _model(request, model_id)
    require_role(request, model.project, EDITORS)
    form = StageForm(request.POST)
    if form.is_valid():
        update_model(model=model, stage=form.cleaned_data["stage"])
    return redirect("detection:model_detail", model.pk)


@require_POST
@login_required
def evaluation_create(request: HttpRequest, model_id: UUID) -> HttpResponse:
    """Measure a model on a split of a version."""
    model = _model(request, model_id)
    require_role(request, model.project, EDITORS)
    form = EvaluationForm(request.POST, model=model)
    if form.is_valid():
        try:
            row = services.start_evaluation(
                user=current_user(request), model=model, **form.cleaned_data
            )
        except UserError as error:
            form.add_error("dataset_version", f"{error.message} {error.hint}")
        else:
            return redirect("detection:evaluation_detail", row.pk)
    return _model_page(request, model, form=form, status=422)


@require_safe
@login_required
def evaluation_detail(request: HttpRequest, evaluation_id: UUID) -> HttpResponse:
    """Show how an evaluation is doing, and afterwards what it found: counts first."""
    row = _evaluation(request, evaluation_id)
    baseline = baseline_of(row.dataset_version, row.model.dataset_version)
    return render_page(
        request,
        "detection/evaluation_detail.html",
        project=row.project,
        step="training",
        job=row,
        lines=class_lines(row.result, row.model.classes, baseline),
        baseline=baseline,
        confusion=confusion_rows(row.result),
        worst=row.result.get("worst_images", []),
    )


@require_POST
@login_required
def evaluation_cancel(request: HttpRequest, evaluation_id: UUID) -> HttpResponse:
    """Cancel an evaluation."""
    row = _evaluation(request, evaluation_id)
    require_role(request, row.project, EDITORS)
    try:
        queue.cancel(row)
    except UserError as error:
        messages.warning(request, f"{error.message} {error.hint}")
    return redirect("detection:evaluation_detail", row.pk)


def _model_page(
    request: HttpRequest, model: Any, *, form: EvaluationForm | None = None, status: int = 200
) -> HttpResponse:
    evaluations = list(
        Evaluation.objects.filter(model=model)
        .select_related("dataset_version__dataset")
        .order_by("-created_at")[:_EVALUATIONS_SHOWN]
    )
    done = [row for row in evaluations if row.status == Status.SUCCEEDED]
    per_class = model.metrics.get("per_class") or []
    baseline = baseline_of(model.dataset_version)
    return render_page(
        request,
        "detection/model_detail.html",
        project=model.project,
        step="training",
        status=status,
        model=model,
        form=form or EvaluationForm(model=model),
        evaluations=evaluations,
        newest=done[0] if done else None,
        classes=figure_lines(per_class, baseline),
        baseline=baseline,
    )


def _model(request: HttpRequest, model_id: UUID) -> Any:
    rows = TrainedModel.objects.visible_to(request.user)
    related = ("project", "training_run", "dataset_version__dataset")
    return get_object_or_404(rows.select_related(*related), pk=model_id)


def _evaluation(request: HttpRequest, evaluation_id: UUID) -> Any:
    rows = Evaluation.objects.visible_to(request.user)
    related = ("project", "model__dataset_version", "dataset_version__dataset")
    return get_object_or_404(rows.select_related(*related), pk=evaluation_id)
