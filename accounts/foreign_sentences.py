"""Sentences of allauth that people see here and that it has no Vietnamese for.

Nothing imports this; `makemessages` reads it.
"""

from django.utils.translation import gettext_noop as _

SENTENCES = (
    _("The username and/or password you specified are not correct."),
    _("The email address and/or password you specified are not correct."),
    _("Too many failed login attempts. Try again later."),
    _("Please type your current password."),
    _("You must type the same password each time."),
    _("Password successfully changed."),
    _("Current Password"),
    _("New Password"),
    _("New Password (again)"),
    _("You have signed out."),
    _("Successfully signed in as %(name)s."),
)
