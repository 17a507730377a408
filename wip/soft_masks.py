"""Soft masks of the ONNX DeepLabv3: python wip/soft_masks.py SHARED OUT.

SHARED holds `data/eg1800` and `weights/deeplabv3_mobilenetv2_voc.onnx`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from sinet.data import find_samples
from sinet.training import write_soft_masks

if __name__ == "__main__":
    shared, out = map(Path, sys.argv[1:])
    cv2.setNumThreads(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        shared / "weights" / "deeplabv3_mobilenetv2_voc.onnx", options
    )

    def person(image):
        small = cv2.resize(image, (513, 513), interpolation=cv2.INTER_AREA)
        pixels = small.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        logits = session.run(None, {"image": pixels})[0][0]
        odds = np.exp(logits - logits.max(axis=0))
        probability = (odds[15] / odds.sum(axis=0)).astype(np.float32)
        return cv2.resize(probability, image.shape[1::-1])

    print(write_soft_masks(find_samples(shared / "data" / "eg1800", "train"), person, out))
