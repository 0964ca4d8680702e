"""What is installed is exact, checked and names no host; pages find their packages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.portal import ROOT

_VENDOR = ROOT / "static" / "vendor"
_LOCKS = ("web", "worker", "dev", "uv")


@pytest.mark.parametrize("name", _LOCKS)
def test_every_python_package_is_pinned_and_hashed(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.lock").read_text()
    packages = re.split(r"\n(?=\S)", lock.strip())
    assert all(re.match(r"[\w.\[\]-]+==\S+ ", package) for package in packages)
    assert all("--hash=sha256:" in package for package in packages)


@pytest.mark.parametrize("name", _LOCKS)
def test_the_lock_holds_what_was_asked_for(name: str) -> None:
    wanted = (ROOT / "requirements" / f"{name}.txt").read_text()
    locked = (ROOT / "requirements" / f"{name}.lock").read_text()
    for package, version in re.findall(r"^([\w.-]+)(?:\[\S+\])?==(\S+)", wanted, re.MULTILINE):
        line = rf"^{re.escape(package)}(\[\S+\])?=={re.escape(version)} "
        assert re.search(line, locked, re.MULTILINE | re.IGNORECASE), package


@pytest.mark.parametrize("name", _LOCKS)
def test_nothing_asks_for_a_desktop(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.lock").read_text()
    found = re.findall(r"^opencv\S*(?===)", lock, re.MULTILINE)
    assert found == (["opencv-python-headless"] if name in {"worker", "dev"} else [])


def test_every_front_end_package_is_pinned_and_hashed() -> None:
    asked = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    versions = {**asked["dependencies"], **asked["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    for name, package in lock.items():
        if name:
            assert package["integrity"].startswith("sha512-")
            assert "resolved" not in package, "the lock names a registry's host"
    for name, version in versions.items():
        assert lock[f"node_modules/{name}"]["version"] == version


@pytest.mark.skipif(not _VENDOR.is_dir(), reason="`make setup` fetches the front-end packages")
def test_pages_find_their_packages_with_their_licences() -> None:
    for name in ("tabler/tabler.min.css", "uplot/uPlot.esm.js", "tus/tus.esm.js", "icons.svg"):
        text = (_VENDOR / name).read_text()
        assert "sourceMappingURL" not in text
    for name in (
        "uplot/LICENSE",
        "tus/LICENSE",
        "inter/LICENSE",
        "dejavu/LICENSE",
        "icons.LICENSE",
    ):
        assert (_VENDOR / name).stat().st_size > 200
    icons = (ROOT / "static" / "icons.txt").read_text().split()
    drawn = re.findall(r'<symbol id="([\w-]+)"', (_VENDOR / "icons.svg").read_text())
    assert drawn == icons


def test_the_licence_is_the_agpl() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3" in text
    assert len(text) == 34_523  # as published, to the last letter


def test_translations_compile_and_are_checked(tmp_path: Path) -> None:
    folder = tmp_path / "locale" / "vi" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    plural = '"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'
    (folder / "django.po").write_text(
        header + plural + 'msgid "Save"\nmsgstr "Lưu"\n\n'
        'msgid "%(count)s image"\nmsgid_plural "%(count)s images"\nmsgstr[0] "%(n)s ảnh"\n\n'
        '#, fuzzy\nmsgid "Old"\nmsgstr "Cũ"\n\nmsgid "Lost"\nmsgstr ""\n'
    )
    program = f"""
import gettext, sys
from pathlib import Path
sys.path.insert(0, "scripts")
import translations
root = Path({str(tmp_path)!r})
for path in translations.catalogs(root):
    translations.compile_catalog(path)
print(gettext.translation("django", root / "locale", ["vi"]).gettext("Save"))
for problem in translations.check_catalogs(root):
    print(problem.partition(": ")[2])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "Lưu",
        "a placeholder that the English has not: '%(count)s image'",
        "fuzzy: 'Old'",
        "no Vietnamese: 'Lost'",
    ]
