"""The README names what there is to set, and stays short enough to be read."""

import re

from tests.ops.portal import ROOT

#: Of images and of our own programs; nobody sets them by hand.
_NOT_FOR_PEOPLE = {"CVTRAINER_PROCESS", "CVTRAINER_STATIC_ROOT"}


def test_every_setting_is_named() -> None:
    readers = ("settings.py", "env.py", "supervisor/installation.py")
    read = {
        name
        for file in readers
        for name in re.findall(
            r'\("(CVTRAINER_\w+)"', (ROOT / "cvtrainer_site" / file).read_text(encoding="utf-8")
        )
    }
    assert len(read) > 15

    named = set(re.findall(r"`(CVTRAINER_\w+)`", readme()))

    assert read - named == _NOT_FOR_PEOPLE


def test_it_is_short() -> None:
    assert len(readme().splitlines()) < 150


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")
