"""Reads what people save of Custom Vision's API: pictures with regions and tags, and lists of tags.

The objects are those of
https://learn.microsoft.com/rest/api/customvision/images/get-images (`Image`, `Tag`), in the
spelling of the API (`tagName`) or of its SDK for Python (`tag_name`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from datasets.formats.json_items import JsonBroken, items
from datasets.sources.custom_vision.remote import RemoteImage, RemoteRegion, RemoteTag

_MOST_IMAGES = 300_000
_MOST_REGIONS = 3_000_000
_MOST_TAGS = 20_000
_SIDES = ("left", "top", "width", "height")
#: In which scripts that save pictures write down what they called them.
_FILE_KEYS = ("filename", "file", "path", "localpath", "name")
#: Addresses of a picture; their last part is a file's name where it was saved by it.
_ADDRESS_KEYS = ("originalimageuri", "resizedimageuri", "imageuri", "uri", "url")


@dataclass(frozen=True, slots=True)
class DumpedImage:
    """A picture of a dump.

    Attributes:
        names: what its file may be called, the surest first.
        is_tagged: somebody gave it a tag or a region.
    """

    image: RemoteImage
    names: tuple[str, ...]
    is_tagged: bool


@dataclass
class Dump:
    """What the files of one dump say together; `add` each object, then look."""

    images: list[DumpedImage] = field(default_factory=list)
    tags: dict[str, RemoteTag] = field(default_factory=dict)
    #: Names of tags that only regions tell, by their keys.
    named: dict[str, str] = field(default_factory=dict)
    regions: int = 0

    @property
    def is_custom_vision(self) -> bool:
        """Whether anything has a region as Custom Vision writes it."""
        return self.regions > 0

    @property
    def is_too_large(self) -> bool:
        """Whether it names more than can be read."""
        return (
            len(self.images) > _MOST_IMAGES
            or self.regions > _MOST_REGIONS
            or len(self.tags) + len(self.named) > _MOST_TAGS
        )

    def all_tags(self) -> list[RemoteTag]:
        """Return the tags: in the order of a list of them, then those that regions name."""
        known = {tag.name for tag in self.tags.values()} | self.tags.keys()
        new = {
            key: name for key, name in self.named.items() if key not in known and name not in known
        }
        ordered = sorted(new.items(), key=lambda item: item[1])
        return [*self.tags.values(), *(RemoteTag(key, name, "", 0) for key, name in ordered)]

    def add(self, section: str, row: Mapping[str, Any]) -> None:
        """Take over an object, if it is one of Custom Vision's."""
        plain = _plain(row)
        if any(isinstance(plain.get(key), list) for key in ("regions", "tags")):
            self._add_image(plain)
        elif _is_tag(section, plain):
            tag = RemoteTag(str(plain["id"]), str(plain["name"]), str(plain.get("type") or ""), 0)
            self.tags.setdefault(tag.id, tag)

    def _add_image(self, plain: Mapping[str, Any]) -> None:
        regions = [region for row in plain.get("regions") or () if (region := self._region(row))]
        tag_ids = [key for row in plain.get("tags") or () if (key := self._tag(_plain(row)))]
        names = _names(plain)
        if not names:
            return
        self.regions += len(regions)
        image = RemoteImage(
            id=names[0],
            width=_pixels(plain.get("width")),
            height=_pixels(plain.get("height")),
            uri="",
            tag_ids=tuple(tag_ids),
            regions=tuple(regions),
        )
        self.images.append(DumpedImage(image, names, bool(regions or tag_ids)))

    def _region(self, row: Any) -> RemoteRegion | None:
        plain = _plain(row)
        tag = self._tag(plain)
        if not tag or not all(side in plain for side in _SIDES):
            return None
        return RemoteRegion(tag, *(plain[side] for side in _SIDES))

    def _tag(self, plain: Mapping[str, Any]) -> str:
        """Return the key of the tag that a region or a picture names: its id, else its name."""
        name, key = (str(plain.get(name) or "") for name in ("tagname", "tagid"))
        if name or key:
            self.named.setdefault(key or name, name or key)
        return key or name


def read(chunks: Iterable[bytes], dump: Dump) -> None:
    """Add what one file says to a dump.

    Raises:
        JsonBroken: it is no JSON, or holds too much; what came before is in the dump.
    """
    before = len(dump.images)
    # Of one picture, where the file is one picture; the other may be all tags of a project too.
    lists: dict[str, list[dict[str, Any]]] = {"regions": [], "tags": []}
    for section, row in items(chunks):
        if section in lists:
            lists[section].append(row)
        elif section is not None:
            dump.add(section, row)
        elif len(dump.images) == before:
            dump.add("", {**row, **lists})
        if dump.is_too_large or any(len(rows) > _MOST_TAGS for rows in lists.values()):
            raise JsonBroken
    for row in lists["tags"]:
        dump.add("tags", row)


def _plain(row: Any) -> dict[str, Any]:
    """Return an object by its names in small letters: tagName, TagName and tag_name are one."""
    if not isinstance(row, Mapping):
        return {}
    return {key.lower().replace("_", ""): value for key, value in row.items()}


def _is_tag(section: str, plain: Mapping[str, Any]) -> bool:
    looks_like_one = "imagecount" in plain or "type" in plain or section.lower() == "tags"
    return looks_like_one and all(isinstance(plain.get(key), str) for key in ("id", "name"))


def _names(plain: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the file of a picture may be called."""
    found = [plain[key] for key in _FILE_KEYS if isinstance(plain.get(key), str)]
    if plain.get("id"):
        found.append(str(plain["id"]))
    addresses = [plain[key] for key in _ADDRESS_KEYS if isinstance(plain.get(key), str)]
    found += [unquote(_path_of(address)) for address in addresses]
    return tuple(dict.fromkeys(filter(None, found)))


def _path_of(address: str) -> str:
    """Return the path of an address, without what it is signed with."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _pixels(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 1e6 else 0
