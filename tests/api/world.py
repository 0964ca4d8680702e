"""One project with one row of everything, and everybody around it."""

from typing import Any

import pytest

from accounts.models import User
from projects.models import Project
from tests import factories


@pytest.fixture
def world(owner: User, viewer: User, editor: User, project: Project) -> dict[str, Any]:
    """The id of each row by the part of an address that comes before it."""
    version = factories.make_version(factories.make_dataset(project))
    image = factories.make_image(version)
    run = factories.make_run(dataset_version=version)
    factories.make_artifact(run)
    factories.make_predictions(run, {image.position: []})
    model = factories.make_model(project, training_run=run, dataset_version=version)
    detection = factories.make_detection(model=model)
    factories.make_detection_image(detection)
    evaluation = factories.make_evaluation(model=model, dataset_version=version)
    token, _ = factories.make_token(owner)
    return {
        "projects": project.pk,
        "members": viewer.pk,
        "tokens": token.id,
        "imports": factories.make_import(project).pk,
        "uploads": factories.make_upload(project, owner).pk,
        "datasets": version.dataset_id,
        "dataset-versions": version.pk,
        "images": image.pk,
        "compare": version.pk,
        "training-runs": run.pk,
        "other-runs": factories.make_run(dataset_version=version).pk,
        "artifacts": "results.csv",
        "models": model.pk,
        "detections": detection.pk,
        "evaluations": evaluation.pk,
        "workers": factories.make_worker().pk,
    }
