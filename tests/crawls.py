"""The same small crawl in every form: loose files, shards, archives, tables."""

import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def photo(seed: int) -> bytes:
    """A JPEG of noise, in which the fake detector sees a face."""
    noise = np.random.default_rng(seed).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=80)
    return out.getvalue()


def said(number: int) -> dict[str, Any]:
    """What img2dataset says of a photo."""
    return {
        "key": f"{number:09}",
        "status": "success",
        "url": f"https://photos.example/{number}.jpg",
        "license": "CC-BY-4.0",
        "caption": "somebody",
    }


def tar_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def table_of(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=3)
    return out.getvalue()


def shard(name: str, numbers: range, *, finished: bool = True) -> dict[str, bytes]:
    """A shard of img2dataset's: tar, table, and its statistics if it is finished."""
    members: dict[str, bytes] = {}
    for number in numbers:
        members[f"{number:09}.jpg"] = photo(number)
        members[f"{number:09}.json"] = json.dumps(said(number)).encode()
    found = {f"{name}.tar": tar_of(members), f"{name}.parquet": table_of([*map(said, numbers)])}
    if finished:
        stats = {"count": len(numbers), "end_time": 1714557600.0}
        found[f"{name}_stats.json"] = json.dumps(stats).encode()
    return found


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    """A folder's files; what is asked is remembered."""

    asked: list[str]

    def log_message(self, *_: object) -> None:
        self.asked.append(f"{self.command} {self.path}")


@contextmanager
def web_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A server of a folder's files on the loopback interface, and what it is asked."""
    asked: list[str] = []
    handler = type("Handler", (_Quiet,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
