"""What people read of a code: sentences of its own, whole, and in both languages."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

from django.utils import translation

from jobs.errors import _CATALOGUE, describe

_LANGUAGES = ("vi", "en")


def assert_said(code: str, params: Mapping[str, Any] | None = None) -> None:
    """A code is told in words of its own, with a value for each of their places, twice.

    `describe` alone would not show it: it has words for every code, and a dash for every value.
    """
    values = params or {}
    assert code in _CATALOGUE and code != "internal", code
    texts = [_CATALOGUE[code].message, _CATALOGUE[code].hint]
    said = {}
    for language in _LANGUAGES:
        with translation.override(language):
            places = {name for text in texts for _, name, *_ in Formatter().parse(str(text))}
            said[language] = describe(code, values)
        assert {name for name in places if name} <= set(values), (language, code, places)
        assert said[language][0], (language, code)
        assert "{" not in "".join(said[language]) or "{" in str(values), (language, code)
    for vi, en in zip(*(said[language] for language in _LANGUAGES), strict=True):
        assert bool(vi) == bool(en) and (not vi or vi != en), (code, vi)
