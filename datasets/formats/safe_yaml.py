"""YAML of strangers as plain lists, dictionaries and texts.

The usual loaders build more than that: objects by tags, copies by aliases (nine lines can make a
billion), numbers and truth values where a class is called `no` or `1e3`. Here every scalar is its
text, and tags and aliases are refused.
"""

from collections.abc import Iterator
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
_DEEPEST = 10
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq")
)


class YamlRefused(Exception):
    """It is no YAML, or more than data.

    Args:
        what: the tag, alias or fault that was found, in a few characters.
        line: where, counted from 1.
        is_fault: whether it is simply broken.
    """

    def __init__(self, what: str, line: int, *, is_fault: bool) -> None:
        super().__init__(what, line)
        self.what = what
        self.line = line
        self.is_fault = is_fault


def load(text: str) -> Any:
    """Return a document as lists, dictionaries with texts as keys, and texts.

    Raises:
        YamlRefused: see there.
    """
    try:
        events = _checked(yaml.parse(text, Loader=_LOADER))
        return _document(events)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = str(getattr(error, "problem", None) or "not YAML")[:100]
        raise YamlRefused(what, mark.line + 1 if mark else 1, is_fault=True) from error


def _checked(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise YamlRefused(f"*{event.anchor}"[:100], line, is_fault=False)
        tag = getattr(event, "tag", None)
        if tag not in {None, "!"} and tag not in _PLAIN_TAGS:
            raise YamlRefused(str(tag)[:100], line, is_fault=False)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise YamlRefused("[[[…", line, is_fault=False)
        yield event


def _document(events: Iterator[yaml.Event]) -> Any:
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            return _node(event, events)
    return None


def _node(event: yaml.Event, events: Iterator[yaml.Event]) -> Any:
    if isinstance(event, yaml.SequenceStartEvent):
        return _list(events)
    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(events)
    return getattr(event, "value", "")


def _list(events: Iterator[yaml.Event]) -> list[Any]:
    values = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            break
        values.append(_node(event, events))
    return values


def _mapping(events: Iterator[yaml.Event]) -> dict[str, Any]:
    values = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _node(event, events)
        values[str(key)] = _node(next(events), events)
    return values
