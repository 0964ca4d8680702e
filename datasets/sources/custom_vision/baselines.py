"""What Custom Vision's own models reach: the baseline for those that are trained here."""

from datasets.problems import Problems
from datasets.sources.custom_vision.remote import Baseline
from datasets.sources.custom_vision.service import Service
from jobs.errors import UserError


def published(service: Service, problems: Problems) -> list[Baseline]:
    """Return what the published iterations reach, the newest first.

    An import is not lost for their sake: what cannot be had is said in `problems`.
    """
    found: list[Baseline] = []
    try:
        iterations = service.iterations()
    except UserError:
        problems.add("baselines_unknown")
        return found
    for iteration in iterations:
        try:
            found.append(service.baseline(iteration))
        except UserError:
            problems.add("baseline_unknown", iteration.published_as)
    return found
