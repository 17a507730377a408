"""How fast masks become tasks of a real Label Studio, and how long its screen takes.

    python benchmarks/review.py --shared ../shared [--portraits 2000] [--batch 100]
    python benchmarks/review.py --shared ../shared --portraits 20000 --part memory
    python -m benchmarks.review --shared ../shared --part screen

Starts a server of its own (`uv tool run`) with an empty database. Portraits have the size of the
crawl's and hand masks of `data/eg1800`; all share one crop, which the server never reads.
`--part memory` pushes to a server that forgets everything at once: only the pusher is looked at.
`--part screen` shows portraits of EG1800 with their own masks in a real browser, and presses keys
(`benchmarks/screen.py`); for its figures the machine must have nothing else to do.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import sqlalchemy as sa

from benchmarks.screen import ACTIONS, print_table
from db import Image, Mask, MaskSource, Portrait, Verdict
from pipelines.label_studio.errors import UnreachableError
from pipelines.label_studio.fake import FakeGateway
from pipelines.label_studio.gateway import NewTask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.label_studio.server import local_server
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.review.choosing import Order
from pipelines.review.push import PushRequest, PushResult, push_questions
from pipelines.workspace.progress import Silent
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import settings_template
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace, make_workspace
from sinet.pictures.threshold import is_person

SIZE = (640, 853)  # width and height of a typical crop of `data/crawl/flickr`
DIFFERENT_MASKS = 50


class Watched:
    """A gateway that counts calls, and can be cut off after some imports."""

    def __init__(self, gateway: LabelStudioGateway) -> None:
        self.calls: Counter[str] = Counter()
        self.imports_left: float = float("inf")
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._gateway, name)
        if not callable(value):
            return value

        def call(*arguments: Any) -> Any:
            self.calls[name] += 1
            if name == "import_tasks":
                self.imports_left -= 1
                if self.imports_left < 0:
                    raise UnreachableError("cut off")
            return value(*arguments)

        return call


class Forgetful(FakeGateway):
    """A server without a memory."""

    def import_tasks(self, project_id: int, tasks: Sequence[NewTask]) -> list[int]:
        """See `Gateway.import_tasks`."""
        ids = super().import_tasks(project_id, tasks)
        self.tasks.clear()
        return ids


class Memory(Silent):
    """Looks at this process's memory after each batch."""

    def __init__(self) -> None:
        self.mebibytes: list[float] = []

    def advance(self, number: int = 1, note: str = "") -> None:
        """After each batch."""
        del number, note
        self.mebibytes.append(psutil.Process().memory_info().rss / 2**20)


def fill(workspace: Workspace, shared: Path, number: int) -> None:
    """Portraits with masks, as an ingest would leave them; one crop for all."""
    store = workspace.store
    crop = store.put(BlobKind.PORTRAIT, encode_jpeg(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), 95))
    files = sorted((shared / "data/eg1800/masks").glob("*.png"))[:DIFFERENT_MASKS]
    masks = [put_mask(workspace, file) for file in files]
    write(workspace, [(crop, masks[each % len(masks)]) for each in range(number)])


def fill_with_photos(workspace: Workspace, shared: Path, number: int) -> None:
    """Portraits of EG1800, each with its own crop and hand mask."""
    rows = []
    for file in sorted((shared / "data/eg1800/masks").glob("*.png"))[:number]:
        (photo,) = (shared / "data/eg1800/images").glob(f"{file.stem}.*")
        rgb = cv2.resize(decode(photo.read_bytes(), max_pixels=10**8).rgb, SIZE)
        crop = workspace.store.put(BlobKind.PORTRAIT, encode_jpeg(np.asarray(rgb), 95))
        rows.append((crop, put_mask(workspace, file)))
    write(workspace, rows)


def put_mask(workspace: Workspace, file: Path) -> str:
    """A hand mask in the size of the crops; its key."""
    grey = np.ascontiguousarray(decode(file.read_bytes(), max_pixels=10**8).rgb[..., 0])
    mask = is_person(cv2.resize(grey, SIZE)) * np.uint8(255)
    png = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
    return workspace.store.put(BlobKind.MASK, png)


def write(workspace: Workspace, blobs: Sequence[tuple[str, str]]) -> None:
    """Rows of portraits, by the keys of their crops and masks."""
    portrait = {"image_id": 1, "face_box": [0, 0, 1, 1], "landmarks": [], "face_confidence": 1.0}
    portrait |= {"crop_box": [0, 0, *SIZE], "width": SIZE[0], "height": SIZE[1]}
    mask_row = {"revision": 1, "source": MaskSource.TEACHER, "producer": "x", "reasons": []}
    mask_row |= {"verdict": Verdict.REVIEW, "scores": {}}
    with workspace.engine.begin() as connection:
        connection.execute(sa.insert(Image).values(sha256="0", size_bytes=1, reasons=[]))
        connection.execute(
            sa.insert(Portrait),
            [
                {**portrait, "ordinal": each, "detector": "x", "blob": crop}
                for each, (crop, _) in enumerate(blobs)
            ],
        )
        ids = connection.scalars(sa.select(Portrait.id).order_by(Portrait.id)).all()
        connection.execute(
            sa.insert(Mask),
            [
                {**mask_row, "portrait_id": each, "blob": mask}
                for each, (_, mask) in zip(ids, blobs, strict=True)
            ],
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--portraits", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--part", choices=["server", "memory", "screen"], default="server")
    parser.add_argument("--rounds", type=int, default=12, help="of all actions on the screen")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "workspace"
        make_workspace(root, settings_template())
        workspace = Workspace(root, Settings.model_validate({"review": {"settle_seconds": 5}}))
        if options.part == "screen":
            fill_with_photos(workspace, options.shared, options.rounds * ACTIONS + 4)
        else:
            fill(workspace, options.shared, options.portraits)
        if options.part == "memory":
            memory = Memory()
            request = asked(None, options.batch)
            push_questions(workspace, request, memory, gateway=Forgetful())
            print_memory(memory)
        else:
            with local_server(Path(temporary) / "label-studio", workspace.paths.store) as server:
                gateway = Watched(LabelStudioGateway(server.url, server.login.token, 120))
                if options.part == "screen":
                    pushed = push_questions(workspace, asked(None, 100), gateway=gateway)
                    print_table(server, pushed.project.server_id, options.rounds)
                else:
                    measure(workspace, gateway, options.portraits, options.batch)
        workspace.close()


def asked(limit: int | None, batch: int) -> PushRequest:
    """Masks of one verdict, the oldest first."""
    return PushRequest(
        verdicts=[Verdict.REVIEW], order=Order.ID, limit=limit, project="benchmark", batch=batch
    )


def measure(workspace: Workspace, gateway: Watched, number: int, batch: int) -> None:
    """A push of half the portraits; then one of the other half, cut off and repeated."""
    memory = Memory()

    def ask(limit: int | None) -> PushResult:
        return push_questions(workspace, asked(limit, batch), memory, gateway=gateway)

    started = time.perf_counter()
    sent = ask(number // 2).sent
    seconds = time.perf_counter() - started
    print(f"{sent:,} tasks in batches of {batch}: {sent / seconds:.0f} tasks/s")
    print(f"look-ups: {gateway.calls['find_tasks']}, imports: {gateway.calls['import_tasks']}")
    print_memory(memory)

    gateway.imports_left = number // batch // 4
    try:
        ask(None)
    except UnreachableError:
        print(f"cut off after {number // batch // 4} batches of the other half")
    gateway.imports_left = float("inf")
    gateway.calls.clear()
    started = time.perf_counter()
    result = ask(None)
    seconds = time.perf_counter() - started
    batches = -(-result.resumed // batch)
    print(
        f"repeated: {result.resumed:,} tasks in {batches} batches, {result.sent / seconds:.0f} "
        f"tasks/s, {gateway.calls['find_tasks']} look-ups"
    )
    if gateway.calls["find_tasks"] > batches + 1:
        print("MORE LOOK-UPS THAN PROMISED")


def print_memory(memory: Memory) -> None:
    """Of this process, at the beginning and at the end."""
    first, last = memory.mebibytes[0], memory.mebibytes[-1]
    number = len(memory.mebibytes)
    print(f"memory after the first batch {first:.0f} MiB, after batch {number} {last:.0f} MiB")


if __name__ == "__main__":
    main()
