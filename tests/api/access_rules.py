"""Who may do what: every address of the site, every method, every persona.

A new address or method needs a line here, or `test_access` fails. `API` and `PAGES` map a route (as
the resolver prints it) to {method: rule}. A rule names what each of anonymous, outsider, viewer,
editor and owner gets: `OK` is any answer but a refusal, `LOGIN` the way to the sign-in page.
"""

from typing import Any

OK = "ok"
LOGIN = "login"
PERSONAS = ("anonymous", "outsider", "viewer", "editor", "owner")
Rule = tuple[int | str, int | str, int | str, int | str, int | str]

ANYBODY: Rule = (OK, OK, OK, OK, OK)
NOBODY: Rule = (404, 404, 404, 404, 404)

SIGNED_IN: Rule = (401, OK, OK, OK, OK)
SEE: Rule = (401, 404, OK, OK, OK)
EDIT: Rule = (401, 404, 403, OK, OK)
OWN: Rule = (401, 404, 403, 403, OK)
#: The row is the owner's alone.
MINE: Rule = (401, 404, 404, 404, OK)
#: The body names the project: to a stranger it does not exist.
SEE_BY_BODY: Rule = (401, 400, OK, OK, OK)
EDIT_BY_BODY: Rule = (401, 400, 403, OK, OK)

#: Of staff, and none of these is.
STAFF: Rule = (401, 404, 404, 404, 404)
STAFF_PAGE: Rule = (LOGIN, 404, 404, 404, 404)

PAGE: Rule = (LOGIN, OK, OK, OK, OK)
SEE_PAGE: Rule = (LOGIN, 404, OK, OK, OK)
EDIT_PAGE: Rule = (LOGIN, 404, 403, OK, OK)
OWN_PAGE: Rule = (LOGIN, 404, 403, 403, OK)
MY_PAGE: Rule = (LOGIN, 404, 404, 404, OK)

Rules = dict[str, dict[str, Rule]]

_JOB: dict[str, dict[str, Rule]] = {
    "": {"GET": SEE},
    "cancel/": {"POST": EDIT},
    "events/": {"GET": SEE},
    "logs/": {"GET": SEE},
}


def _job(slug: str) -> Rules:
    return {f"api/v1/{slug}/<uuid:pk>/{end}": dict(rules) for end, rules in _JOB.items()}


API: Rules = {
    "api/docs/": {"GET": PAGE},
    "api/v1/schema/": {"GET": SIGNED_IN},
    "api/v1/me/": {"GET": SIGNED_IN},
    "api/v1/tokens/": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "api/v1/tokens/<uuid:id>/": {"DELETE": MINE},
    "api/v1/ws-tickets/": {"POST": SIGNED_IN},
    "api/v1/workers/": {"GET": STAFF},
    "api/v1/projects/": {"GET": SIGNED_IN, "POST": SIGNED_IN},
    "api/v1/projects/<uuid:pk>/": {"GET": SEE, "PATCH": OWN, "DELETE": OWN},
    "api/v1/projects/<uuid:project_id>/members/": {"GET": SEE, "POST": OWN},
    "api/v1/projects/<uuid:project_id>/members/<uuid:user_id>/": {"PATCH": OWN, "DELETE": OWN},
    "api/v1/imports/": {"GET": SIGNED_IN, "POST": EDIT_BY_BODY},
    **_job("imports"),
    "api/v1/imports/preview/": {"POST": EDIT_BY_BODY},
    "api/v1/imports/<uuid:pk>/retry/": {"POST": EDIT},
    "api/v1/uploads/": {"POST": SIGNED_IN},
    "api/v1/uploads/<uuid:pk>": {"PATCH": MINE, "DELETE": MINE},
    "api/v1/datasets/": {"GET": SIGNED_IN},
    "api/v1/datasets/<uuid:pk>/": {"GET": SEE, "PATCH": EDIT, "DELETE": EDIT},
    "api/v1/dataset-versions/": {"GET": SIGNED_IN},
    "api/v1/dataset-versions/<uuid:pk>/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/data.yaml": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/data.yaml/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/mapping.txt": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/mapping.txt/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/export/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/health/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/compare/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/restore/": {"POST": EDIT},
    "api/v1/dataset-versions/<uuid:pk>/edit/": {"POST": EDIT},
    "api/v1/dataset-versions/<uuid:pk>/confirm/": {"POST": EDIT},
    "api/v1/dataset-versions/<uuid:pk>/discard/": {"POST": EDIT},
    "api/v1/dataset-versions/<uuid:pk>/images/": {"GET": SEE},
    "api/v1/dataset-versions/<uuid:pk>/resplit/": {"POST": EDIT},
    "api/v1/images/<uuid:pk>/file/": {"GET": SEE},
    "api/v1/images/<uuid:pk>/thumbnail/": {"GET": SEE},
    "api/v1/training-options/": {"GET": SIGNED_IN},
    "api/v1/training-presets/": {"GET": SIGNED_IN},
    "api/v1/training-runs/": {"GET": SIGNED_IN, "POST": EDIT_BY_BODY},
    **_job("training-runs"),
    "api/v1/training-runs/preflight/": {"POST": EDIT_BY_BODY},
    "api/v1/training-runs/<uuid:pk>/stop/": {"POST": EDIT},
    "api/v1/training-runs/<uuid:pk>/pause/": {"POST": EDIT},
    "api/v1/training-runs/<uuid:pk>/resume/": {"POST": EDIT},
    "api/v1/training-runs/<uuid:pk>/duplicate/": {"POST": EDIT},
    "api/v1/training-runs/<uuid:pk>/metrics/": {"GET": SEE},
    "api/v1/training-runs/<uuid:pk>/predictions/": {"GET": SEE},
    "api/v1/training-runs/<uuid:pk>/repeat/": {"POST": EDIT},
    "api/v1/training-runs/compare/": {"GET": SEE_BY_BODY},
    "api/v1/training-runs/<uuid:pk>/pictures/": {"GET": SEE},
    "api/v1/training-runs/<uuid:pk>/artifacts/": {"GET": SEE},
    "api/v1/training-runs/<uuid:pk>/artifacts/<str:name>/": {"GET": SEE},
    "api/v1/models/": {"GET": SIGNED_IN},
    "api/v1/models/<uuid:pk>/": {"GET": SEE, "PATCH": EDIT, "DELETE": EDIT},
    "api/v1/models/<uuid:pk>/download/": {"GET": SEE},
    "api/v1/detections/": {"GET": SIGNED_IN, "POST": SEE_BY_BODY},
    **_job("detections"),
    # Whoever may start one may cancel one.
    "api/v1/detections/<uuid:pk>/cancel/": {"POST": SEE},
    "api/v1/detections/<uuid:pk>/": {"GET": SEE, "DELETE": EDIT},
    "api/v1/detections/<uuid:pk>/export/": {"GET": SEE},
    "api/v1/detections/<uuid:pk>/images/<int:index>/": {"GET": SEE},
    "api/v1/detections/<uuid:pk>/images/<int:index>/annotated/": {"GET": SEE},
    "api/v1/detections/<uuid:pk>/images/<int:index>/thumbnail/": {"GET": SEE},
    "api/v1/evaluations/": {"GET": SIGNED_IN, "POST": EDIT_BY_BODY},
    **_job("evaluations"),
}

PAGES: Rules = {
    "": {"GET": PAGE},
    # A page that polls is told to stop once nobody is signed in.
    "running/": {"GET": ANYBODY},
    "activity/": {"GET": ANYBODY},
    "sample/": {"POST": PAGE},
    "operations/workers/": {"GET": STAFF_PAGE},
    # As above: who is signed out is told to stop.
    "operations/workers/rows/": {"GET": (OK, 404, 404, 404, 404)},
    "operations/workers/<uuid:worker_id>/drain/": {"POST": STAFF_PAGE},
    "healthz": {"GET": ANYBODY},
    "readyz": {"GET": ANYBODY},
    "metrics": {"GET": NOBODY},
    "source/": {"GET": ANYBODY},
    "accounts/login/": {"GET": ANYBODY, "POST": ANYBODY},
    "accounts/logout/": {"GET": ANYBODY, "POST": ANYBODY},
    "accounts/inactive/": {"GET": ANYBODY},
    "accounts/password/change/": {"GET": PAGE, "POST": PAGE},
    "account/": {"GET": PAGE},
    "account/language/": {"POST": ANYBODY},
    "account/letters/": {"POST": PAGE},
    "account/tokens/": {"GET": PAGE, "POST": PAGE},
    "account/tokens/<uuid:token_id>/revoke/": {"POST": MY_PAGE},
    "projects/new/": {"GET": PAGE, "POST": PAGE},
    "projects/<uuid:project_id>/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/edit/": {"GET": OWN_PAGE, "POST": OWN_PAGE},
    "projects/<uuid:project_id>/delete/": {"GET": OWN_PAGE, "POST": OWN_PAGE},
    "projects/<uuid:project_id>/members/": {"GET": SEE_PAGE, "POST": OWN_PAGE},
    "projects/<uuid:project_id>/members/<uuid:user_id>/": {"POST": OWN_PAGE},
    "projects/<uuid:project_id>/members/<uuid:user_id>/remove/": {"POST": OWN_PAGE},
    "projects/<uuid:project_id>/data/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/import/": {"GET": EDIT_PAGE, "POST": EDIT_PAGE},
    "projects/<uuid:project_id>/training/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/training/active/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/training/new/": {"GET": EDIT_PAGE, "POST": EDIT_PAGE},
    "projects/<uuid:project_id>/training/check/": {"POST": EDIT_PAGE},
    "projects/<uuid:project_id>/training-runs/compare/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/models/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/detect/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/detections/": {"GET": SEE_PAGE},
    "detections/<uuid:detection_id>/": {"GET": SEE_PAGE},
    "detections/<uuid:detection_id>/delete/": {"POST": EDIT_PAGE},
    "models/<uuid:model_id>/": {"GET": SEE_PAGE},
    "models/<uuid:model_id>/stage/": {"POST": EDIT_PAGE},
    "models/<uuid:model_id>/evaluate/": {"POST": EDIT_PAGE},
    "evaluations/<uuid:evaluation_id>/": {"GET": SEE_PAGE},
    "evaluations/<uuid:evaluation_id>/cancel/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/stop/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/cancel/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/pause/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/priority/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/resume/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/remedy/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/repeat/": {"POST": EDIT_PAGE},
    "training-runs/<uuid:run_id>/results/": {"GET": SEE_PAGE},
    "training-runs/<uuid:run_id>/queue/": {"GET": SEE_PAGE},
    "projects/<uuid:project_id>/import/custom-vision/": {"GET": EDIT_PAGE, "POST": EDIT_PAGE},
    "projects/<uuid:project_id>/import/custom-vision/preview/": {"POST": EDIT_PAGE},
    "imports/<uuid:import_id>/": {"GET": SEE_PAGE},
    "imports/<uuid:import_id>/cancel/": {"POST": EDIT_PAGE},
    "imports/<uuid:import_id>/retry/": {"POST": EDIT_PAGE},
    "datasets/<uuid:dataset_id>/edit/": {"GET": EDIT_PAGE, "POST": EDIT_PAGE},
    "datasets/<uuid:dataset_id>/delete/": {"POST": EDIT_PAGE},
    "dataset-versions/<uuid:version_id>/resplit/": {"POST": EDIT_PAGE},
    "dataset-versions/<uuid:version_id>/": {"GET": SEE_PAGE},
    "dataset-versions/<uuid:version_id>/health/": {"GET": SEE_PAGE},
    "dataset-versions/<uuid:version_id>/compare/<uuid:other_id>/": {"GET": SEE_PAGE},
    "dataset-versions/<uuid:version_id>/restore/": {"POST": EDIT_PAGE},
    "dataset-versions/<uuid:version_id>/review/": {"GET": EDIT_PAGE, "POST": EDIT_PAGE},
    "dataset-versions/<uuid:version_id>/discard/": {"POST": EDIT_PAGE},
    "dataset-versions/<uuid:version_id>/images/": {"GET": SEE_PAGE},
    "images/<uuid:image_id>/": {"GET": SEE_PAGE},
    "training-runs/<uuid:run_id>/": {"GET": SEE_PAGE},
}

_TWO_RUNS = {"run": ["{training-runs}", "{other-runs}"]}

#: What a request has to say for the rule to be asked at all; `{name}` is a row of the world.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "api/v1/imports/"): {"project": "{projects}", "source": "zip"},
    ("POST", "api/v1/imports/preview/"): {"project": "{projects}"},
    ("POST", "api/v1/training-runs/"): {
        "project": "{projects}",
        "dataset_version": "{dataset-versions}",
        "base_model": "yolo11n-scratch",
    },
    ("POST", "api/v1/training-runs/preflight/"): {
        "project": "{projects}",
        "dataset_version": "{dataset-versions}",
        "base_model": "yolo11n-scratch",
    },
    ("GET", "api/v1/training-runs/compare/"): _TWO_RUNS,
    ("GET", "projects/<uuid:project_id>/training-runs/compare/"): _TWO_RUNS,
    ("POST", "api/v1/detections/"): {"model": "{models}", "wait": 0},
    ("POST", "api/v1/evaluations/"): {
        "model": "{models}",
        "dataset_version": "{dataset-versions}",
    },
}
