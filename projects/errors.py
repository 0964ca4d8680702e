"""Why a change of a project or its members is refused."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "last_owner",
    _("A project always keeps one owner."),
    _("Make somebody else an owner first."),
    status=409,
)
register(
    "already_member",
    _("{username} is a member of this project already."),
    _("Change the role of the member instead."),
    status=409,
)
