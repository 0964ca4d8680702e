"""`python -m tests.api.write_schema` writes the snapshot of the OpenAPI document."""

import json
import os
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("openapi.json")


def document() -> dict[str, Any]:
    """Return the document as the server gives it in English."""
    from django.utils import translation
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer

    with translation.override("en"):
        drawn = SchemaGenerator().get_schema(public=True)
        text = OpenApiJsonRenderer().render(drawn)
    found: dict[str, Any] = json.loads(text)
    return found


def main() -> None:
    """Write it."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    text = json.dumps(document(), indent=2, ensure_ascii=False)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
