"""A Hugging Face Hub of the test session's own, over HTTP on a loopback port.

It answers what `huggingface_hub` asks when a data set is published, and keeps repositories as the
Hub does: commits of whole trees, tags, large files apart. `tests/object_storage.py` has the road on
which things go wrong before it reaches this.
"""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_correcthorsebatterystaple"
LARGE_BYTES = 8192
"""From here on, and every table, a file is kept apart."""


@dataclass(frozen=True)
class Held:
    """A file of a commit."""

    data: bytes
    is_large: bool

    def described(self, path: str) -> dict[str, Any]:
        sha1 = hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()
        found: dict[str, Any] = {
            "type": "file", "path": path, "size": len(self.data), "oid": sha1,
        }  # fmt: skip
        if self.is_large:
            sha256 = hashlib.sha256(self.data).hexdigest()
            found["lfs"] = {"oid": sha256, "size": len(self.data), "pointerSize": 130}
        return found


@dataclass
class Repository:
    """A data set.

    Attributes:
        private: only its owner sees it.
        commits: their trees by hash, in order.
        tags: hashes by name.
    """

    private: bool
    commits: dict[str, dict[str, Held]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        """Of `main`, by path."""
        return {path: held.data for path, held in self.commits[self.head].items()}

    def commit(self, tree: dict[str, Held]) -> str:
        name = hashlib.sha1(f"{len(self.commits)}{sorted(tree)}".encode()).hexdigest()
        self.commits[name] = tree
        return name


class FakeHub:
    """The server.

    Attributes:
        repositories: by ``OWNER/NAME``.
        large: what was sent of large files, by SHA-256.
        writable: owners that the token may write to.
        verify_at: where it wants to be asked whether a large file arrived; None: here.
        is_honest: it keeps what it says that it keeps.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.writable = {"anna"}
        self.verify_at: str | None = None
        self.is_honest = True
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def make(self, repo: str, *, private: bool = True, **files: bytes) -> Repository:
        """A repository as the Hub's page makes one, and what somebody put there."""
        made = self.repositories[repo] = Repository(private)
        held = {"gitattributes": b"*.parquet filter=lfs\n", **files}
        names = {"gitattributes": ".gitattributes"}
        made.commit({names.get(name, name): Held(data, False) for name, data in held.items()})
        return made


def lead_to(url: str, patch: pytest.MonkeyPatch) -> None:
    """This process's `huggingface_hub`, which looks at the environment once, asks there."""
    from huggingface_hub import constants

    patch.setenv("HF_TOKEN", TOKEN)
    patch.setattr(constants, "ENDPOINT", url)
    patch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)


class _Answer(Exception):  # noqa: N818
    """What is answered instead."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: FakeHub

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            found: Any = self._found(unquote(urlsplit(self.path).path), body)
            status, code = 200, ""
        except _Answer as other:
            found, status, code = {"error": str(other)}, other.status, other.code
        data = json.dumps(found).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _found(self, path: str, body: bytes) -> Any:
        if self.command == "PUT":
            assert "Authorization" not in self.headers
            self.hub.large[path.rpartition("/")[2]] = body
            return {}
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _Answer(401, "Invalid username or password.")
        if path == "/api/whoami-v2":
            return {"type": "user", "name": "anna"}
        if path == "/api/validate-yaml":
            return {"warnings": [], "errors": []}
        asked = json.loads(body) if body[:1] == b"{" and b"\n{" not in body else {}
        if path == "/api/repos/create":
            return self._create(asked)
        if match := re.fullmatch(r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            self._write(match[1])
            return {
                "transfer": "basic",
                "objects": [self._batch(each) for each in asked["objects"]],
            }
        if path.startswith("/verify/"):
            if hashlib.sha256(self.hub.large[asked["oid"]]).hexdigest() != asked["oid"]:
                raise _Answer(400, "the content is another")
            return {}
        match = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/(\w+))?(?:/([^/]+))?", path)
        assert match is not None, path
        repo, what, revision = match.groups()
        found = self.hub.repositories.get(repo)
        if found is None:
            raise _Answer(404, "Repository not found", "RepoNotFound")
        match what:
            case None | "revision":
                return {"id": repo, "private": found.private, "sha": found.head}
            case "refs":
                branches = [_ref("main", "heads", found.head)]
                tags = [_ref(name, "tags", commit) for name, commit in found.tags.items()]
                return {"branches": branches, "converts": [], "tags": tags}
            case "tree":
                tree = found.commits[found.tags.get(revision, revision)]
                return [held.described(name) for name, held in sorted(tree.items())]
        self._write(repo)
        match what:
            case "preupload":
                return {"files": [_mode(each) for each in asked["files"]]}
            case "commit":
                return self._commit(repo, [json.loads(line) for line in body.splitlines()])
            case "tag":
                if asked["tag"] in found.tags:
                    raise _Answer(409, "Tag reference exists already")
                found.tags[asked["tag"]] = revision
                return {}
        raise _Answer(404, "Not found")

    def _write(self, repo: str) -> None:
        if repo.partition("/")[0] not in self.hub.writable:
            raise _Answer(403, "You don't have the rights to do this.")

    def _create(self, asked: dict[str, Any]) -> Any:
        assert asked["type"] == "dataset"
        repo = f"{asked['organization']}/{asked['name']}"
        self._write(repo)
        if repo in self.hub.repositories:
            raise _Answer(409, "You already created this dataset repo")
        private = asked.get("visibility", "private" if asked.get("private") else "") == "private"
        self.hub.make(repo, private=private)
        return {"url": f"{self._here}/datasets/{repo}"}

    @property
    def _here(self) -> str:
        return f"http://{self.headers['Host']}"

    def _batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        oid = asked["oid"]
        if oid in self.hub.large:
            return asked
        upload, verify = f"{self._here}/put/{oid}", f"{self._here}/verify/{oid}"
        actions = {"upload": {"href": upload}, "verify": {"href": self.hub.verify_at or verify}}
        return {**asked, "actions": actions}

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> Any:
        found = self.hub.repositories[repo]
        if lines[0]["value"].get("parentCommit", found.head) != found.head:
            raise _Answer(412, "The branch was updated since the parent commit")
        tree = dict(found.commits[found.head])
        for line in lines[1:]:
            value = line["value"]
            match line["key"]:
                case "file":
                    tree[value["path"]] = Held(base64.b64decode(value["content"]), False)
                case "lfsFile":
                    tree[value["path"]] = Held(self.hub.large[value["oid"]], True)
                case "deletedFile":
                    del tree[value["path"]]
        if not self.hub.is_honest:
            tree.pop("card.md")
        name = found.commit(tree)
        url = f"{self._here}/datasets/{repo}/commit/{name}"
        return {"commitUrl": url, "commitOid": name}


def _ref(name: str, kind: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}


def _mode(asked: dict[str, Any]) -> dict[str, Any]:
    is_large = asked["path"].endswith(".parquet") or asked["size"] >= LARGE_BYTES
    mode = "lfs" if is_large else "regular"
    return {"path": asked["path"], "uploadMode": mode, "shouldIgnore": False}
