"""Second opinions of a large student: the teacher itself, taught by hand masks, out of fold.

    python -m benchmarks.quality.tuned CACHE/tuned --shared ../shared

The ONNX DeepLabv3 with a new decoder (`examples/bundled_weights`) learns the hand masks of
`train.txt` less one fold: what a round's reviewers would give a student as large as its teacher.
OUT/fold-N/teacher.onnx; run again, it goes on where it was.
"""

import argparse
from pathlib import Path

import cv2
import torch

from benchmarks.quality.data import FOLDS, photos
from examples.bundled_weights.finetune_teacher import Teacher, export, finetune

EPOCHS = 4


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    known = photos(options.shared / "data/eg1800")
    for fold in range(FOLDS):
        out = options.out / f"fold-{fold}"
        if (out / "teacher.onnx").exists():
            continue
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(fold)
        teacher = Teacher(options.shared / "weights/deeplabv3_mobilenetv2_voc.onnx")
        own = [each.sample for each in known if each.split == "train" and each.fold != fold]
        # Every sixth of the unseen ones: a look at how it goes, which decides nothing.
        unseen = [each.sample for each in known if each.split == "train" and each.fold == fold]
        print(f"fold {fold}: {len(own)} photos", flush=True)
        laid = teacher.to(memory_format=torch.channels_last)
        export(finetune(laid, own, unseen[::6], out, options.epochs), out / "teacher.onnx")


if __name__ == "__main__":
    main()
