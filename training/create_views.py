"""The page of a new training: filled in by itself, checked while typing, sent once."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.views.decorators.http import require_http_methods, require_POST

from datasets.models import DatasetVersion
from jobs.errors import UserError
from projects.access import EDITORS
from projects.models import Project
from projects.pages import current_user, get_project, render_page
from training import services
from training.base_models import BASE_MODELS
from training.fleet import smallest_card
from training.forms import TrainingForm, as_uuid, default_base_model
from training.models import TrainedModel, TrainingRun
from training.options import OPTIONS
from training.preflight import Preflight, look_ahead
from training.presets import presets_for


@require_http_methods(["GET", "POST"])
@login_required
def run_create(request: HttpRequest, project_id: UUID) -> HttpResponse:
    """Ask for the settings of a training and start it.

    `?version=`, `?from=` a run, or `?model=` to train further fill it in.
    """
    project = get_project(request, project_id, roles=EDITORS)
    form = TrainingForm(
        request.POST or None,
        project=project,
        user=current_user(request),
        initial=_initial(request, project),
    )
    if request.method == "POST" and form.is_valid():
        run_id = _start(project, request, form)
        if run_id is not None:
            return redirect("training:run_detail", run_id)
    return render_page(
        request,
        "training/run_create.html",
        project=project,
        step="training",
        status=422 if form.is_bound else 200,
        form=form,
        no_effect=form.no_effect,
        model_helps={model.name: model.help for model in BASE_MODELS.values()},
        presets=_presets(form),
        preflight=_preflight(form),
        has_versions=form.has_versions,
    )


@require_POST
@login_required
def run_check(request: HttpRequest, project_id: UUID) -> JsonResponse:
    """Tell the form's script what is wrong and what has no effect; nothing is started."""
    project = get_project(request, project_id, roles=EDITORS)
    form = TrainingForm(request.POST, project=project, user=current_user(request))
    form.is_valid()
    errors = {
        name: " ".join(map(str, texts)) for name, texts in form.errors.items() if name in OPTIONS
    }
    html = render_to_string("training/_preflight.html", {"preflight": _preflight(form)}, request)
    told = {"no_effect": form.no_effect, "presets": _presets(form), "preflight": html}
    return JsonResponse({"errors": errors, **told})


def _preflight(form: TrainingForm) -> Preflight | None:
    """Return what the training would find as the form stands; None where it cannot be told."""
    version = form.chosen_version
    options = form.parsed_options
    base_model = str(form["base_model"].value() or "")
    start_model = form.own_models.get(base_model)
    if version is None or (start_model is None and base_model not in BASE_MODELS):
        return None
    return look_ahead(
        project=form.project,
        dataset_version=version,
        base_model=base_model,
        start_model=start_model,
        options=options,
        gpu_class=form.wanted_gpu_class,
    )


def _presets(form: TrainingForm) -> list[dict[str, Any]]:
    """Return the presets for the version that is chosen, none where there is no data yet."""
    version = form.chosen_version
    if version is None:
        return []
    found = presets_for(version, card=smallest_card(form.wanted_gpu_class))
    return [{**preset.as_json(), "summary": preset.summary} for preset in found]


def _start(project: Project, request: HttpRequest, form: TrainingForm) -> UUID | None:
    """Start the training of a valid form; sent twice, it is the same run."""
    key: UUID = form.cleaned_data["key"]
    if TrainingRun.objects.filter(pk=key, project=project).exists():
        return key
    try:
        services.start_run(project=project, user=current_user(request), key=key, **form.start)
    except UserError as error:
        form.add_error("dataset_version", f"{error.message} {error.hint}")
        return None
    except IntegrityError:  # the same form, a moment earlier
        if not TrainingRun.objects.filter(pk=key, project=project).exists():
            raise
    return key


def _further(project: Project, model_id: UUID) -> dict[str, Any]:
    """Return what the form shows to train a model further: the newest pictures of its dataset."""
    model = TrainedModel.objects.filter(project=project, pk=model_id).first()
    if model is None:
        return {}
    rows = DatasetVersion.objects.filter(dataset__versions=model.dataset_version_id).ready()
    newest = rows.order_by("-number").first()
    data = {"dataset_version": newest.pk} if newest else {}
    return {**data, "base_model": str(model.pk), "imgsz": model.imgsz}


def _initial(request: HttpRequest, project: Project) -> dict[str, Any]:
    """Return what the form shows at first: the settings of another run, or what suits most."""
    initial: dict[str, Any] = {"key": uuid4(), "base_model": default_base_model()}
    if version := as_uuid(request.GET.get("version", "")):
        initial["dataset_version"] = version
    if model := as_uuid(request.GET.get("model", "")):
        return {**initial, **_further(project, model)}
    source = as_uuid(request.GET.get("from", ""))
    run = TrainingRun.objects.filter(pk=source, project=project).first() if source else None
    if run is None:
        return initial
    same = {
        "base_model": run.base_model,
        "dataset_version": run.dataset_version_id,
        "gpu_class": run.gpu_class,
    }
    known = {name: value for name, value in run.options.items() if name in OPTIONS}
    return {**initial, **same, **known, "name": run.name}
