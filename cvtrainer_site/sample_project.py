"""A project with drawn pictures, for people who want to see the whole way before their own data."""

import tempfile
from pathlib import Path

from django.core.files import File
from django.utils.translation import gettext as _

from accounts.models import User
from cvtrainer_site import env as site_env
from datasets import services as datasets
from datasets.models import Import
from datasets.uploads import stored_upload
from projects import services as projects
from samples.shelf_scenes import write_sample_zip

#: Enough to learn from, few enough to be drawn while somebody waits.
_IMAGES = 120
_SEED = 7


def create_sample_project(*, user: User) -> Import:
    """Make a project of drawn shelf scenes and start the import of its pictures.

    Raises:
        UserError: the disk is full; the project is there then, without data.
    """
    path = _drawn()
    project = projects.create_project(
        user=user,
        name=_("Sample: drawn shelves"),
        description=_("Drawn pictures to try the three steps with; delete it when you like."),
    )
    with path.open("rb") as file, stored_upload(File(file, name="sample.zip")) as upload:
        return datasets.create_import(
            project=project, user=user, upload=upload, dataset_name=_("Drawn shelves")
        )


def _drawn() -> Path:
    """Return the ZIP of drawn pictures; it is drawn once for an installation."""
    folder = site_env.folder("samples")
    path = folder / f"shelves-{_IMAGES}-{_SEED}.zip"
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            fresh = Path(unfinished) / path.name
            write_sample_zip(fresh, images=_IMAGES, seed=_SEED)
            fresh.rename(path)
    return path
