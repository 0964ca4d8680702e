"""Names that people give to things: composed, visible, and short."""

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

MAX_LENGTH = 100
#: Control, format (which turns the direction of text), surrogate, private, line and paragraph ends.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def clean_name(text: str) -> str:
    """Return a name in composed form (NFC) without spaces around it.

    Raises:
        ValidationError: `blank`, `max_length`, or `invisible` characters in it.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise ValidationError(_("Give it a name."), code="blank")
    if len(name) > MAX_LENGTH:
        raise ValidationError(
            _("A name has at most %(limit)d characters."),
            code="max_length",
            params={"limit": MAX_LENGTH},
        )
    if any(unicodedata.category(letter) in _HIDDEN for letter in name):
        raise ValidationError(_("A name holds visible characters only."), code="invisible")
    return name
