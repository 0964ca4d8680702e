"""The classes of a YOLO dataset: from its yaml, from a list of names, or by counting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datasets import names
from datasets.formats import safe_yaml
from datasets.formats.base import FileTree, decode_text, suffix_of
from datasets.problems import Problems
from jobs.errors import UserError

_YAML_SUFFIXES = frozenset({".yaml", ".yml"})
_YAML_STEMS = ("data", "dataset")
_YAML_KEYS = frozenset({"names", "nc", "train", "val"})
_LISTS = ("obj.names", "classes.txt", "_darknet.labels", "class.names", "names.txt", "labels.txt",
          "data.names")  # fmt: skip
_MOST_CANDIDATES = 20
_LONGEST_LIST = 1024 * 1024


@dataclass(frozen=True)
class Description:
    """What a tree says about itself.

    Attributes:
        names: of the classes by index, or nothing where only the labels can tell.
        names_from: the file they come from, or empty.
        yaml: what the yaml says; empty where there is none.
        yaml_path: where it is.
    """

    names: tuple[str, ...] | None
    names_from: str = ""
    yaml: Mapping[str, Any] = field(default_factory=dict)
    yaml_path: str = ""

    @property
    def has_keypoints(self) -> bool:
        """Whether further fields of a label are key points."""
        return "kpt_shape" in self.yaml


def describe(tree: FileTree, problems: Problems) -> Description:
    """Return the classes and the yaml of a tree.

    Raises:
        UserError: `data_yaml_broken`, `data_yaml_not_allowed`, `data_yaml_names`,
            `too_many_classes`.
    """
    yaml_path, yaml = _find_yaml(tree)
    raw = _names_in(yaml, yaml_path, problems) if yaml else None
    source = yaml_path if raw else ""
    if raw is None:
        source, raw = _find_list(tree, problems)
    if raw is None and yaml:
        raw, source = _counted(yaml), yaml_path
    if raw is not None and len(raw) > names.MAX_CLASSES:
        raise UserError("too_many_classes", count=len(raw), limit=names.MAX_CLASSES)
    found = names.class_names(raw, problems) if raw else None
    return Description(found, source if found else "", yaml, yaml_path)


def _find_yaml(tree: FileTree) -> tuple[str, dict[str, Any]]:
    """Return the first yaml that describes a dataset, those with the usual names first."""
    candidates = [path for path in tree.paths if suffix_of(path) in _YAML_SUFFIXES]
    candidates.sort(key=lambda path: (not _is_usual(path), path.count("/"), path))
    for path in candidates[:_MOST_CANDIDATES]:
        if found := _read_yaml(tree, path):
            return path, found
    return "", {}


def _is_usual(path: str) -> bool:
    return path.rsplit("/", 1)[-1].lower().rpartition(".")[0] in _YAML_STEMS


def _read_yaml(tree: FileTree, path: str) -> dict[str, Any] | None:
    """Return a yaml that describes a dataset; others may be as broken and large as they like."""
    try:
        found = safe_yaml.load(decode_text(tree.read(path, safe_yaml.MAX_BYTES)))
    except UserError:
        if not _is_usual(path):
            return None
        raise
    except safe_yaml.YamlRefused as refused:
        if not _is_usual(path):
            return None
        code = "data_yaml_broken" if refused.is_fault else "data_yaml_not_allowed"
        raise UserError(code, file=path, line=refused.line, found=refused.what) from refused
    if not isinstance(found, dict) or _YAML_KEYS.isdisjoint(found):
        return None
    if found.get("download"):
        raise UserError("data_yaml_not_allowed", file=path, line=0, found="download")
    return found


def _names_in(yaml: Mapping[str, Any], path: str, problems: Problems) -> list[str] | None:
    given = yaml.get("names")
    if isinstance(given, dict):
        given = _from_dictionary(given, path)
    if not given:
        return None
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise UserError("data_yaml_names", file=path)
    if str(yaml.get("nc", len(given))) != str(len(given)):
        problems.add(
            "class_count_differs", f"{path}: nc {str(yaml['nc'])[:20]}, names {len(given)}"
        )
    return given


def _from_dictionary(given: Mapping[str, Any], path: str) -> list[Any]:
    if not all(key.isascii() and key.isdigit() and len(key) <= 6 for key in given):
        raise UserError("data_yaml_names", file=path)
    named = {int(key): name for key, name in given.items()}
    highest = max(named, default=-1)
    if highest >= names.MAX_CLASSES:
        raise UserError("too_many_classes", count=highest + 1, limit=names.MAX_CLASSES)
    return [named.get(index, "") for index in range(highest + 1)]


def _find_list(tree: FileTree, problems: Problems) -> tuple[str, list[str] | None]:
    """Return the list of names nearest to the top; others that differ are reported."""
    paths = [path for path in tree.paths if path.rsplit("/", 1)[-1].lower() in _LISTS]
    paths.sort(key=lambda path: (_LISTS.index(path.rsplit("/", 1)[-1].lower()), path.count("/")))
    lists = {path: _read_list(tree, path) for path in paths[:_MOST_CANDIDATES]}
    first = next((path for path, found in lists.items() if found), "")
    for path, found in lists.items():
        if first and found and found != lists[first]:
            problems.add("class_lists_differ", path)
    return first, lists.get(first)


def _read_list(tree: FileTree, path: str) -> list[str]:
    lines = decode_text(tree.read(path, _LONGEST_LIST)).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _counted(yaml: Mapping[str, Any]) -> list[str] | None:
    count = yaml.get("nc")
    if not isinstance(count, str) or not (count.isascii() and count.isdigit()):
        return None
    return [""] * min(int(count[:6]), names.MAX_CLASSES + 1)
