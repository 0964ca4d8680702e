"""Writes the secrets of docker-compose.yml into ./secrets where they are missing.

The folder is closed to others; the files in it are readable, since a container's user is not ours.
"""

import os
import secrets
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "secrets"


def main(folder: Path = FOLDER) -> None:
    """Write each file once; what exists is kept."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for name in ("secret_key", "field_keys", "postgres_password"):
        write(folder / name, secrets.token_urlsafe(48))
    password = (folder / "postgres_password").read_text(encoding="ascii")
    write(folder / "database_url", f"postgres://cvtrainer:{password}@db:5432/cvtrainer")


def write(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)


if __name__ == "__main__":
    main()
