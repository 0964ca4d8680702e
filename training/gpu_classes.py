"""One word for a kind of graphics card, by the name that the driver gives it.

A run may ask for a class, so the same card must have the same word on every host, whatever its
memory, its socket or the release of the driver.
"""

import re

#: A worker without a card.
CPU = "cpu"
#: What a class looks like: what `gpu_class` gives, and what people may ask for.
PATTERN = r"[a-z0-9][a-z0-9.-]{0,29}"

#: Names under which several products are sold, in the order in which they are tried.
_TABLE = (
    (r"\bGB200\b", "gb200"),
    (r"\bGH200\b", "gh200"),
    (r"\bB(100|200|300)\b", r"b\1"),
    (r"\bH(20|100|200|800)\b", r"h\1"),
    (r"\bA(2|10|16|30|40|100|800)(G|M|X)?\b", r"a\1\2"),
    (r"\bL(4|20|40)(S|G)?\b", r"l\1\2"),
    (r"\bV100(S)?\b", "v100"),
    (r"\bT(4|10)(G)?\b", r"t\1\2"),
    (r"\bP(4|6|40|100)\b", r"p\1"),
    (r"\b(K|M)(20|40|60|80)[a-z]?\b", r"\1\2"),
)
#: What says nothing about the kind of card.
_NOISE = (
    r"\b(NVIDIA|Corporation|Tesla|GeForce|Quadro|Graphics|GPU|Generation)\b",
    r"\b\d+\s*GB\b",
    r"\b(PCIe?|SXM\d?|HBM\d\w?|NVL|DGX)\b",
)


def gpu_class(name: str) -> str:
    """Return the class of a card: t4 for "Tesla T4", a100 for "NVIDIA A100-SXM4-80GB".

    A part of a card has its size behind it: a100-1g.5gb.
    """
    name, _, part = name.partition(" MIG ")
    return f"{_whole(name)}-{part.lower()}"[:30] if part else _whole(name)


def _whole(name: str) -> str:
    spaced = name.replace("-", " ").replace("_", " ")
    # "RTX A4000" and "Quadro P400" are other cards than those of the table.
    if not re.search(r"\b(RTX|GTX|Quadro|TITAN)\b", spaced, re.IGNORECASE):
        for pattern, word in _TABLE:
            if found := re.search(pattern, spaced, re.IGNORECASE):
                return found.expand(word).lower()
    return _squeezed(spaced)


def _squeezed(name: str) -> str:
    """Return what is left of a name that no table knows, without its noise."""
    for pattern in _NOISE:
        name = re.sub(pattern, " ", name, flags=re.IGNORECASE)
    word = re.sub(r"[^a-z0-9]+", "", name.lower())[:30]
    return word or "gpu"
