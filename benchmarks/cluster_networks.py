"""`ingest --on ray` with real networks on two machines, against the local engine's two workers.

    uv run python -m benchmarks.cluster_networks --shared ../shared [--rounds 3] [--photos 240]

Both have one PostgreSQL server, which flushes to the disk, and one S3 server (moto), all on the
same two cores; the cluster is two machines of one core each, on the loopback interface. The teacher
is the ONNX DeepLabv3 with the default second opinion, the photos are of `data/crawl/web`, in a
bucket. Measured is the rate from the moment both workers are at work to the last commit, as
`ingest.py` does. Both take turns; only ratios within a round are compared.
"""

import argparse
import os
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

from benchmarks.ingest import Clock
from pipelines.ingest.request import IngestRequest
from pipelines.ingest.run import ingest_photos
from pipelines.workspace.opening import init_workspace
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from tests.object_storage import server as storage
from tests.postgres import PASSWORD, Server, server_programs
from tests.ray_cluster import cluster

TEACHER = "weights/deeplabv3_mobilenetv2_voc.onnx"


def rate(host: Server, bucket: str, name: str, teacher: Path, on: str | None) -> float:
    """Photos a second of an ingest into a new workspace.

    Args:
        host: of the database.
        bucket: with the crawl.
        name: of the workspace.
        teacher: an ONNX file.
        on: a cluster, or this machine's processes.
    """
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, host.database(empty=True) as database:
        root = Path(folder) / "ws"
        init_workspace(root, host.url(database), f"s3://{bucket}/{name}")
        settings = load_settings(root, {"teacher": {"name": f"onnx:{teacher.resolve()}"}})
        with closing(Workspace(root, settings)) as workspace:
            ingest_photos(workspace, IngestRequest(paths=[f"s3://{bucket}/crawl/"], on=on), clock)
    return clock.steady_rate()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, default=240)
    options = parser.parse_args()
    programs = server_programs()
    assert programs is not None, "apt-get install postgresql"
    os.environ |= {**storage().environment(), "PGPASSWORD": PASSWORD}
    os.environ["RAY_ADDRESS"] = cluster().address
    host = Server(programs, flushes=True, connections=100)
    print("| round | two workers here | two machines | of the local rate |\n|---|---|---|---|")
    ratios = []
    try:
        with storage().bucket() as bucket:
            photos = sorted((options.shared / "data/crawl/web").rglob("*.jpg"))[: options.photos]
            for number, photo in enumerate(photos):
                key = f"crawl/{number:04}.jpg"
                storage().client.put_object(Bucket=bucket, Key=key, Body=photo.read_bytes())
            for count in range(1, options.rounds + 1):
                found = {}
                for on in (None, "ray")[:: 1 if count % 2 else -1]:
                    name = f"{on or 'here'}-{count}"
                    found[on] = rate(host, bucket, name, options.shared / TEACHER, on)
                here, there = found[None], found["ray"]
                ratios.append(there / here)
                print(f"| {count} | {here:.2f}/s | {there:.2f}/s | {ratios[-1]:.2f} |", flush=True)
    finally:
        host.remove()
    print(f"| **median** | | | **{statistics.median(ratios):.2f}** |")


if __name__ == "__main__":
    main()
