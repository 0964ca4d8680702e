"""What a page may load, and who may show it in a frame."""

from collections.abc import Sequence

from csp.constants import NONCE, NONE, SELF


def content_policy(frame_ancestors: Sequence[str]) -> dict[str, object]:
    """Return the setting of django-csp: all from here, scripts by nonce, no plug-ins.

    Args:
        frame_ancestors: origins whose pages may hold ours; where there are none, nobody may.
    """
    return {
        "DIRECTIVES": {
            "default-src": [SELF],
            "img-src": [SELF, "data:", "blob:"],
            "script-src": [SELF, NONCE],
            "style-src": [SELF],
            "connect-src": [SELF],
            "object-src": [NONE],
            "base-uri": [NONE],
            "form-action": [SELF],
            "frame-ancestors": list(frame_ancestors) or [NONE],
        }
    }
