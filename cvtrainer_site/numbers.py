"""Numbers as the reader's language writes them."""

from django.utils.formats import number_format


def as_text(value: float, digits: int | None = None) -> str:
    """Return a number with the separators of the active language."""
    return number_format(value, decimal_pos=digits, use_l10n=True, force_grouping=True)
