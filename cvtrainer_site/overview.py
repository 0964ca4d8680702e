"""What the page of a project shows beside the three steps: the newest of each, and its people."""

from typing import Any

from datasets.models import DatasetVersion
from detection.models import Evaluation
from jobs.states import Status
from projects.models import Project
from training.models import TrainedModel

_ROWS = 5


def newest(project: Project) -> dict[str, Any]:
    """Return the newest data, runs and members of a project that the user may see."""
    versions = DatasetVersion.objects.filter(dataset__project=project)
    runs = project.training_runs.order_by("-created_at")
    members = project.memberships.select_related("user")
    return {
        "versions": versions.select_related("dataset", "import_job")[:_ROWS],
        "runs": runs.select_related("dataset_version__dataset")[:_ROWS],
        "members": members[:_ROWS],
        "members_total": members.count(),
    }


def model_in_use(project: Project) -> dict[str, Any]:
    """Return the model in production and what it counted when it was last measured.

    `model` is the newest where none is in production, so that the page can say how to choose one.
    """
    stage = TrainedModel.Stage.PRODUCTION
    models = TrainedModel.objects.filter(project=project)
    in_use = models.filter(stage=stage).first()
    measured = Evaluation.objects.filter(model=in_use, status=Status.SUCCEEDED)
    return {
        "model": in_use or models.order_by("-created_at").first(),
        "is_in_use": in_use is not None,
        "measured": measured.select_related("dataset_version__dataset")
        .order_by("-created_at")
        .first(),
    }
