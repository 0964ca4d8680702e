"""What people do with training runs and models: start, stop, pause, cancel, go on, publish."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from accounts.models import User
from datasets.models import DatasetVersion
from jobs import queue, transitions
from jobs.errors import UserError
from jobs.states import Status
from projects.models import Project
from training.base_models import BASE_MODELS, SCRATCH
from training.models import TrainedModel, TrainingRun
from training.options import BASIC_NAMES, validate_options
from training.resuming import validate_changes

#: So that a number has room behind it.
_LONGEST_NAME = 90


def start_run(
    *,
    project: Project,
    user: User,
    dataset_version: DatasetVersion,
    base_model: str,
    options: Mapping[str, Any],
    name: str = "",
    start_model: TrainedModel | None = None,
    priority: int = 0,
    gpu_class: str = "",
    key: UUID | None = None,
) -> TrainingRun:
    """Queue a training.

    Args:
        key: the run's id, from a form that may be sent twice; the second insert is refused.
        base_model: a name from `training.options`; ignored where `start_model` is given.
        options: parameters as a form or a client sends them; missing ones get their defaults.
        priority: above 0 goes before the trainings of all projects, below 0 lets them go first.
        gpu_class: of the card that it is to run on; empty for any worker.

    Raises:
        InvalidOptionsError: a parameter is unknown or out of its range.
        UserError: `too_many_waiting`, or what was chosen is not for this project or person.
        IntegrityError: there is a run with this key.
    """
    settings = validate_options(options, architecture=architecture_of(base_model, start_model))
    _check_wish(project, user, dataset_version, start_model, priority)
    with transaction.atomic():
        _take_room(project.pk)
        run = TrainingRun.objects.create(
            id=key or uuid4(),
            project=project,
            dataset_version=dataset_version,
            name=name.strip() or _next_name(project),
            base_model=str(start_model.pk) if start_model else base_model,
            start_model=start_model,
            options=settings,
            priority=priority,
            gpu_class=gpu_class,
            created_by=user,
        )
        queue.submit(run)
    return run


def architecture_of(base_model: str, start_model: TrainedModel | None) -> str:
    """Return the network that a training trains, such as `yolo11n`."""
    return start_model.architecture if start_model else base_model.removesuffix(SCRATCH)


def stop_run(*, run: TrainingRun) -> None:
    """End after the current epoch and keep the best model.

    Raises:
        UserError: `not_running`.
    """
    if run.status == Status.STOPPING:
        return
    if not transitions.move(run, Status.STOPPING, stop_requested_at=Now()):
        raise UserError("not_running")


def cancel_run(*, run: TrainingRun) -> None:
    """End at once; committed epochs are kept, so that the run can go on later."""
    queue.cancel(run)


def pause_run(*, run: TrainingRun) -> None:
    """Lay a run aside: its GPU is free within seconds, what is committed stays.

    Raises:
        UserError: `not_active`, `ending`.
    """
    transitions.request_pause(run)


def set_priority(*, run: TrainingRun, user: User, priority: int) -> None:
    """Give a waiting run another place in the queue.

    Args:
        priority: above 0 goes before the trainings of all projects, below 0 lets them go first.

    Raises:
        UserError: `priority_for_staff`; `not_waiting`, it has begun or ended.
    """
    _check_priority(user, priority)
    if not TrainingRun.objects.filter(pk=run.pk, status=Status.QUEUED).update(priority=priority):
        raise UserError("not_waiting")


def resume_run(
    *, run: TrainingRun, changes: Mapping[str, Any] | None = None, finish: bool = False
) -> None:
    """Go on from the last checkpoint of a failed, canceled or paused run.

    Args:
        changes: other values for `resuming.CHANGEABLE` from now on.
        finish: train no further, but measure and keep the best model so far.

    Raises:
        InvalidOptionsError: a change is refused.
        UserError: `not_resumable`, `too_many_waiting`; `no_epoch_to_keep`, there is nothing to
            finish; `pausing`, its trainer still goes by what it was told.
    """
    changed = validate_changes(run, changes or {})
    if run.is_pausing and (changed or finish):
        raise UserError("pausing")
    if finish and not run.epoch:
        raise UserError("no_epoch_to_keep")
    # What we made smaller by ourselves stays so; where it fails again, we may once more.
    adjusted = {name: v for name, v in run.adjusted.items() if name in {"batch", "loader_workers"}}
    with transaction.atomic():
        _take_room(run.project_id)
        if run.paused_at is not None:
            transitions.end_pause(run)
            queue.submit(run)
        else:
            queue.retry(run)
        TrainingRun.objects.filter(pk=run.pk).update(
            options={**run.options, **changed},
            adjusted={name: value for name, value in adjusted.items() if name not in changed},
            stop_requested_at=Now() if finish else None,
            stopped_early=False,
            stop_reason=None,
        )


def repeat_run(
    *,
    run: TrainingRun,
    user: User,
    changes: Mapping[str, Any] | None = None,
    key: UUID | None = None,
) -> TrainingRun:
    """Queue the same training again: same data, same start, same options, seed among them.

    Args:
        changes: other values of its options, or another `base_model`; what was made smaller on the
            way stays so then. Without any it is the very same training.
        key: as in `start_run`.

    Raises:
        UserError: `start_model_gone`, or what `start_run` raises.
        InvalidOptionsError: this release does not take an option as it was.
        IntegrityError: there is a run with this key.
    """
    changed = dict(changes or {})
    base_model = str(changed.pop("base_model", run.base_model))
    start_model = run.start_model if base_model == run.base_model else None
    if start_model is None and base_model not in BASE_MODELS:
        raise UserError("start_model_gone")
    return start_run(
        project=run.project,
        user=user,
        dataset_version=run.dataset_version,
        base_model=base_model,
        options={**run.used_options, **changed} if changes else run.options,
        name=run.name if changes else _name_again(run),
        start_model=start_model,
        priority=_priority_again(run),
        gpu_class=run.gpu_class,
        key=key,
    )


def duplicate_run(run: TrainingRun) -> dict[str, Any]:
    """Return the body that would start the same training again."""
    options = run.used_options
    basic = {key: options.pop(key) for key in BASIC_NAMES if key in options}
    return {
        "project": str(run.project_id),
        "dataset_version": str(run.dataset_version_id),
        "name": run.name,
        "base_model": run.base_model,
        **basic,
        "advanced": options,
        "priority": _priority_again(run),
        "gpu_class": run.gpu_class,
    }


def next_run(*, gpu_class: str | None = None) -> TrainingRun | None:
    """Return the waiting run that comes first; see `RunQuerySet.in_turn`.

    Args:
        gpu_class: of the card that it would run on; None where that does not matter.
    """
    rows = TrainingRun.objects.claimable().in_turn()
    return (rows if gpu_class is None else rows.fitting(gpu_class)).first()


def update_model(
    *, model: TrainedModel, name: str | None = None, stage: str | None = None
) -> TrainedModel:
    """Rename a model or change its stage; publishing one takes the one before out of use."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=model.project_id)
        if stage == TrainedModel.Stage.PRODUCTION:
            in_use = TrainedModel.objects.filter(project=model.project_id, stage=stage)
            in_use.exclude(pk=model.pk).update(stage=TrainedModel.Stage.ARCHIVED)
        model.name = name if name is not None else model.name
        model.stage = stage if stage is not None else model.stage
        model.save(update_fields=["name", "stage"])
    return model


def delete_model(*, model: TrainedModel) -> None:
    """Remove a model and its weights."""
    storage, name = model.file.storage, str(model.file.name)
    with transaction.atomic():
        model.delete()
        transaction.on_commit(lambda: storage.delete(name), robust=True)


def _check_wish(
    project: Project,
    user: User,
    version: DatasetVersion,
    start_model: TrainedModel | None,
    priority: int,
) -> None:
    _check_priority(user, priority)
    check_version(project, version)
    _check_start_model(project, start_model)


def _check_priority(user: User, priority: int) -> None:
    """Let nobody go before all other projects by themselves.

    Raises:
        UserError: `priority_for_staff`.
    """
    # A token for one project speaks for that project, whoever made it.
    is_confined = getattr(user, "confined_to_project_id", None) is not None
    if priority > 0 and (is_confined or not user.is_staff):
        raise UserError("priority_for_staff")


def _priority_again(run: TrainingRun) -> int:
    """Return the priority of a repetition: to go first is granted to one run, not to its copies."""
    return min(run.priority, 0)


def check_room(project_id: UUID) -> None:
    """Refuse a training more where as many of the project wait as may.

    Raises:
        UserError: `too_many_waiting`.
    """
    most = settings.PROJECT_WAITING
    if most and TrainingRun.objects.waiting().filter(project=project_id).count() >= most:
        raise UserError("too_many_waiting", most=most)


def _take_room(project_id: UUID) -> None:
    """Check for room until the end of the transaction: two at once would both see room for one."""
    if settings.PROJECT_WAITING:
        list(Project.objects.select_for_update(no_key=True).filter(pk=project_id).values("pk"))
    check_room(project_id)


def _check_start_model(project: Project, model: TrainedModel | None) -> None:
    if model is not None and model.project_id != project.pk:
        raise UserError("start_model_foreign")


def check_version(project: Project, version: DatasetVersion) -> None:
    """Refuse data that cannot be trained on.

    Raises:
        UserError: `version_not_ready`, `version_cannot_train`.
    """
    if version.dataset.project_id != project.pk or version.status != version.Status.READY:
        raise UserError("version_not_ready")
    if not (version.train_images and version.val_images and version.boxes):
        raise UserError(
            "version_cannot_train",
            train=version.train_images,
            val=version.val_images,
            boxes=version.boxes,
        )


def _name_again(run: TrainingRun) -> str:
    """Return the name of a run with the next number behind it: "Kệ bia (2)"."""
    name = re.sub(r" \(\d{1,4}\)$", "", run.name)[:_LONGEST_NAME]
    known = run.project.training_runs.filter(name__startswith=f"{name} (").count()
    return f"{name} ({known + 2})"


def _next_name(project: Project) -> str:
    return f"{project.name} #{project.training_runs.count() + 1}"


def next_model_version(project: Project) -> int:
    """Return the number of the project's next model; call it under the project's lock."""
    newest = project.models.aggregate(newest=Max("version"))["newest"]
    return int(newest or 0) + 1
