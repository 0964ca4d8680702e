"""How many pictures of a version are labelled, empty or unlabelled, and how many are duplicates."""

from datasets.image_problems import UNLABELLED
from datasets.models import DatasetVersion


def pictures_by_label(version: DatasetVersion) -> dict[str, int]:
    """Return how many pictures have a box, are empty on purpose, or are not labelled at all.

    A picture without a box is empty on purpose unless the import said that nobody labelled it.
    """
    labelled = sum(version.health.get("labelled", {}).values())
    problems = version.health.get("problems")
    if problems is None:  # it was made before they were kept
        problems = {row["code"]: row["count"] for row in version.warnings}
    unlabelled = int(problems.get(UNLABELLED, 0))
    empty = max(0, version.images_total - labelled - unlabelled) if version.health else 0
    return {"labelled": labelled, "empty": empty, "unlabelled": unlabelled}


def duplicates(version: DatasetVersion) -> dict[str, int]:
    """Return how many pictures came as several files of the same bytes, or look like another."""
    problems = version.health.get("problems", {})
    return {
        "identical": problems.get("picture_twice", 0),
        "look_alike": problems.get("look_alike", 0),
    }
