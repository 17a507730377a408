"""Draw a training run's curves: python benchmarks/curves.py LOG.csv OUT.png.

The log is what `dataengine train` writes after every epoch.
"""

import argparse
import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def main() -> None:
    """Draw loss, held-out IoU and learning rate over the epochs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="log.csv of a run")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    with options.log.open() as file:
        records = list(csv.DictReader(file))

    def column(name: str) -> list[float]:
        return [float(record[name]) for record in records]

    score = column("held_out_iou")
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
    for axis, title, values in zip(
        axes,
        ("training loss", "held-out IoU of the averaged weights", "learning rate"),
        (column("loss"), score, column("learning_rate")),
        strict=True,
    ):
        axis.plot(column("epoch"), values, linewidth=1.8)
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
    axes[1].set_ylim(max(0.85, min(score[3:])), None)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
