r"""How fast `ingest` from an S3 server is, against the folder of the same photos.

    python benchmarks/crawls.py --shared ../shared [--networks fake|bundled] [--photos 150] \
        [--rounds 5] [--workers 0] [--latency 0.05] [--asleep 0.12]

The server is moto, a process of its own on the loopback interface: it shares the machine's cores
with what is measured, which a bucket elsewhere does not, and answers at once, which one elsewhere
does not either. `--latency` puts a pause before each of its answers. Only ratios within a round
are compared. CPU time is that of `ingest` alone, all of it if it works without further processes
(`--workers 0`).

With `--asleep` each photo is searched for faces in so many seconds more, asleep: as long as
networks take, without their load. What others do on the machine then counts less, and what is left
of the ratio is the waiting for answers.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from tests.conftest import FAKES
from tests.ports import free_port, wait_for

BUCKET = "crawl"
PROGRAM = """
import sys, time
from dataengine.cli import main
from pipelines.pictures.fake import FakeDetector

def detect(self, images, detect=FakeDetector.detect, seconds=float(sys.argv.pop(1))):
    time.sleep(seconds * len(images))
    return detect(self, images)

FakeDetector.detect = detect
main()
"""


class Took(NamedTuple):
    """Seconds of one run, and how many photos it took in."""

    wall: float
    cpu: float
    photos: int


def delayed(port: int, seconds: float) -> int:
    """A port on which answers come later; only reading is passed on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            time.sleep(seconds)
            connection = HTTPConnection("127.0.0.1", port)
            connection.request(self.command, self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            size = answer.getheader("Content-Length") if self.command == "HEAD" else len(data)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(data)
            connection.close()

        do_GET = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def ingest(source: str, environment: dict[str, str], options: list[str], asleep: float) -> Took:
    """One run into a workspace of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, str(asleep)]
        command += ["-w", f"{folder}/ws", "ingest", source, *options, "--json"]
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        assert status == 0, source
        told: dict[str, Any] = json.loads(out)["run"]
        return Took(wall, used.ru_utime + used.ru_stime, told["new"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--networks", choices=("fake", "bundled"), default="fake")
    parser.add_argument("--photos", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--asleep", type=float, default=0.0, help="seconds of each fake search")
    arguments = parser.parse_args()
    photos = sorted((arguments.shared / "data/crawl/flickr").glob("*.jpg"))[: arguments.photos]
    options = ["--workers", str(arguments.workers)]
    environment: dict[str, str] = {}
    if arguments.networks == "bundled":
        options += ["--teacher", "bundled"]
    else:
        environment |= FAKES
    port = free_port()
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        keys = {"aws_access_key_id": "tests", "aws_secret_access_key": "tests"}
        client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys
        )
        client.create_bucket(Bucket=BUCKET)
        with tempfile.TemporaryDirectory() as folder:
            shard = io.BytesIO()
            with tarfile.open(fileobj=shard, mode="w") as tar:
                for photo in photos:
                    tar.add(photo, photo.name)
                    client.put_object(
                        Bucket=BUCKET, Key=f"loose/{photo.name}", Body=photo.read_bytes()
                    )
                    (Path(folder) / photo.name).symlink_to(photo.resolve())
            client.put_object(Bucket=BUCKET, Key="shard.tar", Body=shard.getvalue())
            asked = delayed(port, arguments.latency) if arguments.latency else port
            environment |= {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{asked}",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "tests",
                "AWS_SECRET_ACCESS_KEY": "tests",
            }
            sources = {
                "folder": folder,
                "objects": f"s3://{BUCKET}/loose/",
                "shard": f"s3://{BUCKET}/shard.tar",
            }
            ratios: dict[str, list[tuple[float, float]]] = {"objects": [], "shard": []}
            for number in range(arguments.rounds):
                order = list(sources) if number % 2 == 0 else list(reversed(sources))
                took = {
                    name: ingest(sources[name], environment, options, arguments.asleep)
                    for name in order
                }
                for name in ratios:
                    assert took[name].photos == took["folder"].photos == len(photos)
                    one, other = took["folder"], took[name]
                    ratios[name].append((one.wall / other.wall, one.cpu / other.cpu))
                print(
                    f"round {number + 1}: "
                    + ", ".join(
                        f"{name} {each.wall:.1f} s, CPU {each.cpu:.1f} s"
                        for name, each in took.items()
                    )
                )
            for name, found in ratios.items():
                wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
                print(f"{name}: {wall:.2f} of the folder's rate, {cpu:.2f} by CPU time")
    finally:
        moto.terminate()
        moto.wait()


if __name__ == "__main__":
    main()
