"""Settings of Label Studio with scripts more in its pages: those beside this file, by name.

Label Studio itself reads this, in its own environment, wherever `DJANGO_SETTINGS_MODULE` is
`dataengine_addon` and this folder is in `PYTHONPATH`: `review server` starts it so, and so can
whoever runs a server for a team. Nothing of ours is imported here.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Label Studio looks at its settings while it reads them: those that it looks at are these.
from core.settings.base import *  # noqa: F403
from django.http import HttpResponse, HttpResponseNotFound
from label_studio.core.settings import label_studio as _theirs
from label_studio.core.settings.label_studio import *  # noqa: F403

_SCRIPTS = {file.name: file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.js"))}
_FOLDER = "/dataengine/"
_HEAD = b"</head>"

# The first one: it has the last word on an answer's headers.
MIDDLEWARE = ["dataengine_addon.with_scripts", *_theirs.MIDDLEWARE]


def with_scripts(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Django's way of changing answers: the scripts, their tags, and photos that are kept.

    Label Studio lets nobody keep a photo that it serves, so a browser that has fetched the next one
    ahead would fetch it again. A crop never changes: its name is the digest of its content.
    """
    tags = "".join(f'<script src="{_url(name)}" defer></script>' for name in _SCRIPTS).encode()

    def changed(request: Any) -> Any:
        if request.path_info.startswith(_FOLDER):
            script = _SCRIPTS.get(request.path_info.removeprefix(_FOLDER))
            if script is None:
                return HttpResponseNotFound()
            given = HttpResponse(script, content_type="text/javascript; charset=utf-8")
            given["Cache-Control"] = "public, max-age=31536000, immutable"
            return given
        given = answer(request)
        if request.path_info == "/data/local-files/" and given.status_code == 200:
            given["Cache-Control"] = "private, max-age=600, immutable"
            # Every answer brings a new cookie of the session: no photo would be found again.
            given.headers.pop("Vary", None)
        elif not given.streaming and given.get("Content-Type", "").startswith("text/html"):
            given.content = given.content.replace(_HEAD, tags + _HEAD, 1)
            given["Content-Length"] = str(len(given.content))
        return given

    return changed


def _url(name: str) -> str:
    from django.conf import settings

    version = hashlib.sha256(_SCRIPTS[name]).hexdigest()[:12]
    return f"{settings.FORCE_SCRIPT_NAME or ''}{_FOLDER}{name}?v={version}"
