"""Google's object storage as obstore asks it, with the session's S3 server behind it.

obstore speaks Google's XML interface, which is S3's but for a few headers; no emulator that can be
installed has it. Here those headers are translated. So what is tested is how `gs://` is opened,
asked and understood, not Google's own server.
"""

import json
from urllib.parse import quote, unquote

from tests.object_storage import Road

ACCOUNT = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
"""Of nobody: no token is asked for."""
SOMEBODY = (
    "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0"
)
"""To moto, which looks at no signature, but at whether there is one."""


class GoogleRoad(Road):
    """A road on which Google's words are spoken."""

    @property
    def environment(self) -> dict[str, str]:
        """See `Road`."""
        return {"GOOGLE_BASE_URL": self.url, "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(ACCOUNT)}

    def translated(self, path: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
        """See `Road`."""
        kept = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        kept["Authorization"] = SOMEBODY
        # Generation 0: there is no such object yet.
        if kept.pop("x-goog-if-generation-match", None) == "0":
            kept["If-None-Match"] = "*"
        key, mark, query = path.partition("?")
        # A hyphen and a slash need not be escaped, and moto takes the bucket's name as it comes.
        return f"{quote(unquote(key))}{mark}{query}", kept
