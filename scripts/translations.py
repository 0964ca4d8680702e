"""Compiles the translations and checks that they are complete.

python scripts/translations.py compile    each .po to its .mo, by Babel: gettext may be absent
python scripts/translations.py check      every text of the sources has Vietnamese, none fuzzy
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE = "vi"
#: Where gettext's own tools are needed; without them only the catalogues themselves are checked.
GETTEXT = ("xgettext", "msguniq", "msgmerge", "msgattrib")
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w*)\}")


def main() -> None:
    """Run the command that was asked for."""
    if sys.argv[1:] == ["compile"]:
        for path in catalogs(ROOT):
            compile_catalog(path)
    elif sys.argv[1:] == ["check"]:
        problems = list(check())
        for problem in problems:
            print(problem)
        raise SystemExit(bool(problems))
    else:
        raise SystemExit(__doc__)


def catalogs(root: Path) -> list[Path]:
    """Return all .po files of a tree."""
    return sorted(root.glob("locale/*/LC_MESSAGES/*.po"))


def read(path: Path) -> Catalog:
    """Read one .po file; a syntax error is an error."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name, abort_invalid=True)


def compile_catalog(path: Path) -> None:
    """Write the .mo file beside a .po file."""
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, read(path))


def check() -> Iterator[str]:
    """Yield what is wrong with the Vietnamese of all texts, one line each."""
    if not catalogs(ROOT):
        yield f"locale/{LANGUAGE} has no catalogue"
        return
    if not all(shutil.which(tool) for tool in GETTEXT):
        print("gettext is not installed: texts without any entry are not looked for")
        yield from check_catalogs(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sources"
        copy_sources(copy)
        extract(copy)
        yield from check_catalogs(copy)


def copy_sources(target: Path) -> None:
    """Copy what texts are taken from, so that a check never changes the checkout."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        source = ROOT / name
        wanted = source.suffix in {".py", ".html", ".txt", ".js", ".po"} and source.is_file()
        if wanted and not name.startswith(("tests/", "benchmarks/", "scripts/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)


def extract(root: Path) -> None:
    """Let Django bring the catalogues of a tree in line with its sources."""
    (root / "locale").mkdir(exist_ok=True)
    for domain in domains(root):
        command = ["django-admin", "makemessages", "--locale", LANGUAGE, "--domain", domain]
        program = str(Path(sys.executable).parent / command[0])
        subprocess.run([program, *command[1:]], cwd=root, check=True, stdout=subprocess.DEVNULL)


def domains(root: Path) -> list[str]:
    """Return Django's domains; scripts have one only where they ask for translations."""
    scripts = any("gettext(" in path.read_text("utf-8") for path in root.glob("static/js/**/*.js"))
    return ["django", "djangojs"] if scripts else ["django"]


def check_catalogs(root: Path) -> Iterator[str]:
    """Yield each message without Vietnamese, fuzzy, or with other placeholders."""
    for path in catalogs(root):
        if path.parent.parent.name != LANGUAGE:
            continue
        for message in read(path):
            if message.id and (problem := find_problem(message)):
                yield f"{path.relative_to(root)}: {problem}: {first(message.id)!r}"


def find_problem(message: Message) -> str:
    """Return what is wrong with one message, or nothing."""
    texts = message.string if isinstance(message.string, tuple) else (message.string,)
    if not all(texts):
        return "no Vietnamese"
    if message.fuzzy:
        return "fuzzy"
    allowed = set(_PLACEHOLDER.findall(" ".join(ids(message.id))))
    if any(set(_PLACEHOLDER.findall(str(text))) - allowed for text in texts):
        return "a placeholder that the English has not"
    return ""


def ids(text: str | tuple[str, ...] | list[str]) -> list[str]:
    """Return singular and plural."""
    return [text] if isinstance(text, str) else list(text)


def first(text: str | tuple[str, ...] | list[str]) -> str:
    """Return the singular."""
    return ids(text)[0]


if __name__ == "__main__":
    main()
