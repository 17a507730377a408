"""`gallery` on the command line, with a stand-in for uv and for the program that it would run.

The stand-in reads the same files and writes the same journal; the real program is looked at by
`tests/pipelines/pages/test_gallery_studio.py`.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pipelines.pages.gallery.serving import default_gallery_dir
from tests.conftest import Crawl
from tests.dataengine.conftest import Run

PROGRAM = """
import http.server, json, os, signal, sys, threading
from pathlib import Path
script, session = Path(sys.argv[-2]), Path(sys.argv[-1])
sys.path.insert(0, str(script.parent))
from tag_writer import TagWriter
print("gallery: installed", flush=True)
said = json.loads((session / "gallery.json").read_text())
token = os.environ["GALLERY_TOKEN"]
assert not [name for name in os.environ if name.startswith(("PG", "AWS_", "DATAENGINE_"))]
masks = {json.loads(line)["mask"] for line in (session / "rows.jsonl").open()}
writer = TagWriter(Path(said["journal"]), masks)
tags = set(writer.standing)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get("Cookie") == f"gallery_{said['port']}={token}"
        path = self.path.partition("?")[0]
        if path.startswith("/tag/"):
            mask, name = path.split("/")[2:]
            tags.symmetric_difference_update({(int(mask), name)})
        self.send_response(200 if known or "token=" + token in self.path else 403)
        self.end_headers()
        self.wfile.write(json.dumps(sorted(tags)).encode())
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", said["port"]), Handler)
ended = threading.Event()
def watch():
    while not ended.wait(0.05):
        writer.note(tags)
threading.Thread(target=watch, daemon=True).start()
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
ended.set()
writer.note(tags)
"""
FAILS = "echo 'Resolved nothing'; echo 'error: Failed to fetch: dns error' >&2; exit 2"
BREAKS = "echo 'gallery: installed'; echo 'ValueError: the data is odd' >&2; exit 3"


@pytest.fixture
def root(ingested: Crawl, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested.workspace, tmp_path / "portraits"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    """A `uv` that runs a line of shell, before any other on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{shell}\n")
    (folder / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    line = f'exec "{sys.executable}" "{tmp_path / "program.py"}" "$@"'
    stand_in(tmp_path, monkeypatch, line)


Open = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def open_gallery(root: Path, program: None) -> Iterator[Open]:
    """Start a gallery and return it with its address; at the end nothing of it is left."""
    started: list[subprocess.Popen[str]] = []
    running: list[psutil.Process] = []

    def call(*arguments: str) -> tuple["subprocess.Popen[str]", str]:
        code = "from dataengine.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "-w", str(root), "gallery", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PGPASSWORD": "sesame"},
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"Gallery +(http://127\.0\.0\.1:\d+/\?token=[\w-]+)$", line)
        assert found, (line, process.communicate())
        running.extend(programs_of(process))
        return process, found[1]

    yield call
    for each in started:
        each.terminate()
        each.communicate()
    for program in running:
        with suppress(psutil.NoSuchProcess):
            program.kill()


def ask(url: str, path: str) -> list[list[object]]:
    token = url.partition("?")[2]
    with urllib.request.urlopen(f"{url.partition('/?')[0]}{path}?{token}", timeout=10) as answer:
        found: list[list[object]] = json.load(answer)
        return found


def programs_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_from_tags_to_a_ledger_and_back(
    run: Run, root: Path, open_gallery: Open, home: Path
) -> None:
    process, url = open_gallery()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url.partition("?")[0], timeout=10)
    for path in ("/tag/1/reject", "/tag/2/fix", "/tag/3/review", "/tag/3/%3Cb%3E"):
        ask(url, path)
    pulled = run("-w", root, "gallery", "pull", "--by", "ann@example.org")
    assert pulled.code == 0
    assert pulled.out == (
        "1 fix, 1 reject, 1 review\n`dataengine review push` asks about 2 masks of them first\n"
    )
    assert "1 tag of other names than review, fix and reject: left in the gallery" in pulled.err
    assert run("-w", root, "gallery", "pull", "--by", "ben").out == "nothing new\n"
    ask(url, "/tag/1/reject")
    found = json.loads(run("-w", root, "gallery", "pull", "--by", "ben", "--json").out)
    assert found == {"tags": {}, "withdrawn": 1, "outdated": 0, "gone": 0, "other": 1}
    assert run("-w", root, "gallery").err.endswith(
        "a gallery runs on this folder already; stop it, or choose another --data-dir\n"
    )
    folder = default_gallery_dir(root)
    assert folder.is_relative_to(home)
    assert (folder / "session/images").is_dir()
    ask(url, "/tag/2/reject")  # just before it is stopped
    running = programs_of(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    # Not by `communicate`, which loses what came with the line that was read before.
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = process.stdout.read(), process.stderr.read()
    assert (process.returncode, err.splitlines()[-1]) == (0, "Stopped.")
    assert "map     from the features of sinet:bundled" in out
    assert f"dataengine -w {root} gallery pull --by NAME" in out
    assert not any(each.is_running() for each in running)
    assert {file.name for file in folder.iterdir()} == {"lock", "server.log", "tags.jsonl"}
    token = url.partition("token=")[2]
    assert not any(token in file.read_text() for file in folder.iterdir())
    assert run("-w", root, "gallery", "pull", "--by", "ann@example.org").out == "1 reject\n"


def test_one_that_is_killed_leaves_its_tags(root: Path, open_gallery: Open) -> None:
    process, url = open_gallery()
    (running,) = programs_of(process)
    ask(url, "/tag/1/reject")
    ask(url, "/tag/2/%3Cb%3E")
    process.kill()
    process.wait(30)
    # Nobody could stop it: it holds its claims until it ends.
    assert running.is_running()
    running.terminate()
    running.wait(30)
    session = default_gallery_dir(root) / "session"
    (session / "left.txt").touch()
    _, url = open_gallery()
    assert ask(url, "/") == [[1, "reject"], [2, "%3Cb%3E"]]
    assert not (session / "left.txt").exists()


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        (FAILS, "LightlyStudio could not be installed, which its first start needs the network"),
        (BREAKS, "LightlyStudio ended with code 3; see "),
    ],
)
def test_a_program_that_does_not_start_is_one_line(
    run: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str, text: str
) -> None:
    stand_in(tmp_path, monkeypatch, shell)
    answer = run("-w", root, "gallery")
    assert (answer.code, answer.out) == (1, "")
    line = answer.err.splitlines()[-1]
    assert line.startswith(f"error: {text}")
    assert line.endswith(("dns error", "the data is odd"))
    assert not (default_gallery_dir(root) / "session").exists()


def test_without_uv(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sinet.uv.find_spec", lambda _name: None)
    answer = run("-w", root, "gallery")
    assert "run by uv, which is missing: python -m pip install uv" in answer.err


def test_errors_are_one_line(run: Run, root: Path, tmp_path: Path, program: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = run("-w", root, "gallery", "--port", port)
    assert (answer.code, answer.out) == (1, "")
    assert f"port {port} is in use" in answer.err
    file = tmp_path / "file"
    file.touch()
    for arguments, text in (
        (("-w", tmp_path / "nowhere", "gallery"), "not a workspace"),
        (("-w", tmp_path / "nowhere", "gallery", "pull", "--by", "ann"), "not a workspace"),
        (("-w", root, "gallery", "pull", "--by", "ann"), "no gallery was opened there yet"),
        (("-w", root, "gallery", "--data-dir", file), "choose another --data-dir"),
        (
            ("-w", root, "gallery", "pull", "--by", "ann", "--data-dir", file),
            "no gallery was opened",
        ),
    ):
        answer = run(*arguments)
        assert (answer.code, answer.out) == (1, ""), arguments
        assert text in answer.err.splitlines()[-1], arguments
    assert run("-w", root, "gallery", "pull").code == 2
    run("init", tmp_path / "empty")
    answer = run("-w", tmp_path / "empty", "gallery")
    assert "no portrait has a mask yet" in answer.err
