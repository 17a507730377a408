"""How fast masks become tasks of a real Label Studio, and how long its screen takes.

    python benchmarks/review.py --shared ../shared [--portraits 2000] [--batch 100]
    python benchmarks/review.py --shared ../shared --portraits 20000 --part memory
    python -m benchmarks.review --shared ../shared --part screen

Starts a server of its own (`uv tool run`) with an empty database. Portraits have the size of the
crawl's and hand masks of `data/eg1800`; all share one crop, which the server never reads.
`--part memory` pushes to a server that forgets everything at once: only the pusher is looked at.
`--part screen` shows portraits of EG1800 with their own masks in a real browser, and presses keys
(`benchmarks/screen.py`); what is fixed by clicks are masks of the ONNX DeepLabv3 with an IoU below
0.95, on photos of `val.txt`, from which no network of ours has learnt. For its figures the machine
must have nothing else to do; it says how busy it is.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import sqlalchemy as sa

from benchmarks import screen
from benchmarks.quality.data import read_mask, read_rgb
from benchmarks.screen import Mask
from db import Image, MaskSource, Portrait, ReviewRequest, Verdict
from db import Mask as MaskRow
from pipelines.label_studio.errors import UnreachableError
from pipelines.label_studio.fake import FakeGateway
from pipelines.label_studio.gateway import NewTask
from pipelines.label_studio.sdk_gateway import LabelStudioGateway
from pipelines.label_studio.server import LocalServer, local_server
from pipelines.networks import load_network, parse_network
from pipelines.pictures.decode import encode_jpeg
from pipelines.review.choosing import Order
from pipelines.review.clicking import click_backend, connect_projects
from pipelines.review.push import PushRequest, PushResult, push_questions
from pipelines.workspace.progress import Silent
from pipelines.workspace.settings import Settings
from pipelines.workspace.settings_sources import settings_template
from pipelines.workspace.store import BlobKind
from pipelines.workspace.workspace import Workspace, make_workspace
from sinet.data import find_samples
from sinet.data.listing import Sample
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
    masks = [put_mask(workspace, resized(read_mask(file))) for file in files]
    write(workspace, [(crop, masks[each % len(masks)]) for each in range(number)])


def fill_with_photos(workspace: Workspace, shared: Path, rounds: int) -> list[Mask | None]:
    """Portraits of EG1800, each with its own crop and hand mask; to be clicked into, a network's.

    Returns:
        The hand masks of those that are clicked into, in the portraits' order.
    """
    wrong = list(islice(to_fix(shared), screen.CLICKED * rounds))
    ready = [
        (sample, resized(read_mask(sample.mask)), None)
        for sample in find_samples(shared / "data/eg1800", "train")[: screen.tasks(rounds)]
    ]
    shown = [*wrong, *ready][: screen.tasks(rounds)]
    rows = []
    for sample, mask, _ in shown:
        rgb = cv2.resize(read_rgb(sample.image), SIZE)
        crop = workspace.store.put(BlobKind.PORTRAIT, encode_jpeg(np.asarray(rgb), 95))
        rows.append((crop, put_mask(workspace, mask)))
    write(workspace, rows)
    return [truth for _, _, truth in shown]


def to_fix(shared: Path) -> Iterator[tuple[Sample, Mask, Mask]]:
    """Photos with a network's mask that is not good enough, and the hand mask."""
    network = load_network(
        parse_network(f"onnx:{shared / 'weights/deeplabv3_mobilenetv2_voc.onnx'}"), device="cpu"
    )
    for sample in find_samples(shared / "data/eg1800", "val"):
        said = network.person_probability([read_rgb(sample.image)])[0] > 0.5
        mask, truth = resized(said), resized(read_mask(sample.mask))
        if (mask & truth).sum() < screen.GOAL * (mask | truth).sum():
            yield sample, mask, truth


def resized(mask: Mask) -> Mask:
    """In the size of the crops."""
    grey = cv2.resize(mask.astype(np.uint8) * np.uint8(255), SIZE)
    return is_person(np.asarray(grey, np.uint8))


def put_mask(workspace: Workspace, mask: Mask) -> str:
    """A mask into the store; its key."""
    grey = mask * np.uint8(255)
    png = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_BILEVEL, 1])[1].tobytes()
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
            sa.insert(MaskRow),
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
            truths = fill_with_photos(workspace, options.shared, options.rounds)
        else:
            fill(workspace, options.shared, options.portraits)
        if options.part == "memory":
            memory = Memory()
            request = asked(None, options.batch)
            push_questions(workspace, request, memory, gateway=Forgetful())
            print_memory(memory)
        else:
            with local_server(Path(temporary) / "label-studio", workspace.paths.store) as server:
                on_server = LabelStudioGateway(server.url, server.login.token, 120)
                if options.part == "screen":
                    show(workspace, server, on_server, options.rounds, truths)
                else:
                    measure(workspace, Watched(on_server), options.portraits, options.batch)
        workspace.close()


def show(
    workspace: Workspace,
    server: LocalServer,
    gateway: LabelStudioGateway,
    rounds: int,
    truths: Sequence[Mask | None],
) -> None:
    """Push all portraits, answer clicks as `review server` does, and use the screen."""
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    project = push_questions(workspace, asked(None, 100), gateway=gateway).project.server_id
    with workspace.engine.begin() as connection:
        masks = connection.scalars(sa.select(MaskRow.id).order_by(MaskRow.id)).all()
        of_masks = dict(zip(masks, truths, strict=True))
        asked_about = connection.execute(sa.select(ReviewRequest.task_id, ReviewRequest.mask_id))
        by_task = {
            task: truth
            for task, mask in asked_about
            if task is not None and (truth := of_masks[mask]) is not None
        }
    with click_backend(workspace) as backend:
        connect_projects(workspace, gateway, backend, set())
        screen.print_table(server, project, rounds, by_task)
    print(f"load after: {os.getloadavg()[0]:.1f}")


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
