"""The script everybody writes first; `ingest.py` measures against it.

Decode, MTCNN at full size with its default settings, crop, DeepLabv3 on one crop at a time, save.
The libraries' default threads: all cores. No queue, no database, no scores, no second try.

    python benchmarks/naive.py TEACHER.onnx OUT FILE...

Prints one JSON line: files, seconds (the first two files, which warm caches up, left out).
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from facenet_pytorch import MTCNN
from PIL import Image

MIN_FACE_PX = 64
SIDE = 513
PERSON = 15
WARM_UP = 2


def main() -> None:
    """Label the files."""
    teacher, out, files = sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
    out.mkdir(parents=True, exist_ok=True)
    mtcnn = MTCNN(keep_all=True)
    session = onnxruntime.InferenceSession(teacher)
    name = session.get_inputs()[0].name
    started = 0.0
    for number, file in enumerate(files):
        if number == WARM_UP:
            started = time.perf_counter()
        image = Image.open(file).convert("RGB")
        boxes, _ = mtcnn.detect(image)
        for index, (x0, y0, x1, y1) in enumerate([] if boxes is None else boxes):
            height = y1 - y0
            if height < MIN_FACE_PX:
                continue
            left, top = (x0 + x1) / 2 - 1.125 * height, y0 - 0.8 * height
            crop = image.crop(
                (
                    max(0, int(left)),
                    max(0, int(top)),
                    min(image.width, int(left + 2.25 * height)),
                    min(image.height, int(top + 3 * height)),
                )
            )
            small = np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
            logits = session.run(None, {name: (small / 127.5 - 1).transpose(2, 0, 1)[None]})[0][0]
            exponents = np.exp(logits - logits.max(axis=0))
            person = exponents[PERSON] / exponents.sum(axis=0)
            mask = cv2.resize(person, crop.size) > 0.5
            crop.save(out / f"{file.stem}-{index}.jpg", quality=95)
            Image.fromarray(mask.astype(np.uint8) * 255).save(out / f"{file.stem}-{index}.png")
    print(json.dumps({"files": len(files) - WARM_UP, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
