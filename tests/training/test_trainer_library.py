"""What the trainer expects of the training library still holds; checked in a process of its own."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.trainer_driver import ROOT, environment
from training.base_models import BASE_MODELS
from training.options import OPTIONS
from training.trainer_arguments import OPTION_NAMES

SCRIPT = Path(__file__).with_name("library_checks.py")


def check_names() -> list[str]:
    """Return the names in the script's CHECKS, without running it."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    (checks,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CHECKS"
    ]
    return [element.id for element in checks.elts]


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> str:
    config = tmp_path_factory.mktemp("config")
    options = json.dumps([OPTIONS[name].as_json() for name in OPTION_NAMES])
    models = ",".join(name for name, model in BASE_MODELS.items() if not model.is_scratch)
    optimizers = ",".join(value for value, _label in OPTIONS["optimizer"].choices)
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.training.library_checks",
            str(config),
            options,
            models,
            optimizers,
        ],
        env=environment(config),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return finished.stdout + finished.stderr


@pytest.mark.parametrize("name", check_names())
def test_the_library(output, name):
    assert f"ok {name}\n" in output, output
