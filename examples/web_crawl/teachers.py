"""Whom to ask: how well networks label photos, alone, as a mean, and with test-time views.

    python -m examples.web_crawl.teachers --shared ../shared NETWORK …

Each NETWORK is what `ingest --teacher` takes; with commas between them the mean of several is
asked. Printed is the mean native IoU on the sets that only measure, of each as it is and of the
mean of its four views (the image, its mirror image, a smaller and a larger one), and on
`data/crawl/flickr`: what `ingest` makes of the uncropped photos, beside their hand masks. Those
photos are of EG1800's `train.txt`: a network that learnt from that has seen them.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import mean

from db import reader
from examples.eg1800_rounds import Reviewer, dataengine
from examples.web_crawl.collect import stored_mask
from examples.web_crawl.students import SETS
from pipelines.networks import load_network, parse_network
from pipelines.networks.views import probability_views
from pipelines.portraits.listing import portrait_lines
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from sinet.data import find_samples
from sinet.data.reading import read_sample
from sinet.metrics.counts import Counts

BATCH = 8


def on_sets(
    network: str, shared: Path, limit: int | None
) -> Iterator[tuple[str, list[float], list[float]]]:
    """A set's name, and the native IoU of its images: of the network, and of its four views."""
    teacher = load_network(parse_network(network), device="cpu")
    for name, folder in SETS.items():
        plain, viewed = [], []
        samples = find_samples(shared / "data" / folder, "val")[:limit]
        for start in range(0, len(samples), BATCH):
            pictures = [read_sample(sample) for sample in samples[start : start + BATCH]]
            asked = probability_views(
                teacher.person_probability, [picture.image for picture in pictures]
            )
            for picture, views in zip(pictures, asked, strict=True):
                truth = picture.mask.astype(bool)
                plain.append(Counts.of(views.plain > 0.5, truth).iou)
                viewed.append(Counts.of(views.mean() > 0.5, truth).iou)
        yield name, plain, viewed


def on_photos(network: str, shared: Path, limit: int | None) -> list[float]:
    """IoU of the portrait of each photo of `crawl/flickr` that fits its hand mask best.

    A photo without a portrait has 0.
    """
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))[:limit]
    reviewer = Reviewer(shared)
    best = dict.fromkeys(photos, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        listed = Path(folder) / "photos.txt"
        listed.write_text("".join(f"{photo}\n" for photo in photos))
        dataengine(root, "ingest", str(listed), "--teacher", network)
        with (
            closing(Workspace(root, load_settings(root))) as workspace,
            reader(workspace.engine).begin() as connection,
        ):
            for line in portrait_lines(connection, workspace.store):
                photo = Path(str(line.photo_path))
                if line.mask_path is not None:
                    found = reviewer.iou(stored_mask(line), list(line.crop_box), photo)
                    best[photo] = max(best[photo], found)
    return list(best.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--limit", type=int, default=None, help="images of each set")
    options = parser.parse_args(arguments)
    shared = options.shared.resolve()
    print(f"| | {' | '.join(SETS)} | `crawl/flickr` | of it ≥ 95 |")
    print("|---|" + "---:|" * (len(SETS) + 2))
    for network in options.networks:
        found = list(on_sets(network, shared, options.limit))
        ingested = on_photos(network, shared, options.limit)
        good = mean(iou >= 0.95 for iou in ingested)
        cells = " | ".join(f"{100 * mean(plain):.2f}" for _, plain, _ in found)
        print(f"| {network} | {cells} | {100 * mean(ingested):.2f} | {good:.0%} |", flush=True)
        cells = " | ".join(f"{100 * mean(viewed):.2f}" for _, _, viewed in found)
        print(f"| {network}, four views | {cells} | | |", flush=True)


if __name__ == "__main__":
    main()
