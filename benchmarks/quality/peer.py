"""cleanlab's own segmentation score of the collected masks.

    uv run --with cleanlab python -m benchmarks.quality.peer CACHE

Writes CACHE/cleanlab-WHOSE.json: photo → label quality (`softmin`, cleanlab's default; high is
good), computed by cleanlab on the working copies that our signals see.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.quality.evidence import INGEST, NETWORK, read_evidence


def main() -> None:
    """Score and write."""
    from cleanlab.segmentation.rank import get_label_quality_scores

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cache", type=Path)
    options = parser.parse_args()
    for whose in (NETWORK, INGEST):
        scores = {}
        for path in sorted((options.cache / "eg1800").glob("*.npz")):
            evidence, _ = read_evidence(path, None, whose)
            person = evidence.probability
            found, _ = get_label_quality_scores(
                evidence.mask[None].astype(np.int64),
                np.stack([1 - person, person])[None].astype(np.float64),
                verbose=False,
            )
            scores[path.stem] = float(found[0])
        (options.cache / f"cleanlab-{whose}.json").write_text(json.dumps(scores))
        print(f"{whose}: {len(scores)} masks")


if __name__ == "__main__":
    main()
