"""What all tests share: settings of a throw-away installation."""

import os
import tempfile
from pathlib import Path

# Before Django reads its settings: tests never see an installation's data or secrets.
_home = Path(tempfile.mkdtemp(prefix="cvt-"))
os.environ["CVTRAINER_HOME"] = str(_home)
os.environ["SECRET_KEY"] = "only-for-tests-" + "x" * 40
os.environ["FIELD_KEYS"] = "only-for-tests-" + "y" * 40
