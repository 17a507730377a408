"""From the environment and the settings to a server that takes our token."""

import os
from typing import Final

from pipelines.label_studio.errors import ReviewError
from pipelines.label_studio.gateway import Gateway
from pipelines.label_studio.token import clean_token
from pipelines.workspace.workspace import Workspace

URL_VARIABLE: Final = "LABEL_STUDIO_URL"
KEY_VARIABLE: Final = "LABEL_STUDIO_API_KEY"


def connect(workspace: Workspace) -> Gateway:
    """Log in to the server.

    Raises:
        ReviewError: no URL or token is given, or the server does not take them.
    """
    url = os.environ.get(URL_VARIABLE) or workspace.settings.review.url
    if not url:
        raise ReviewError(
            f"which Label Studio? Set {URL_VARIABLE}, or url in [review] of "
            f"{workspace.paths.settings}; `dataengine review server` starts one"
        )
    given = os.environ.get(KEY_VARIABLE)
    if not given:
        raise ReviewError(
            f"{KEY_VARIABLE} is not set: copy your token from {url}/user/account, or from what "
            "`dataengine review server` printed"
        )
    from pipelines.label_studio.sdk_gateway import LabelStudioGateway

    token = clean_token(given, KEY_VARIABLE)
    return LabelStudioGateway(url, token, workspace.settings.review.timeout_seconds)
