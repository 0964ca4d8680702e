"""The three steps at the top of every page of a project."""

from typing import Any

from django import template

from cvtrainer_site.steps import steps_by_id
from projects.models import Project

register = template.Library()


@register.inclusion_tag("components/steps.html")
def project_steps(project: Project, current: str = "") -> dict[str, Any]:
    """Draw the steps of a project with their states; `current` is the key of the open one."""
    return {"steps": steps_by_id(project), "current": current}
