"""Soft masks of the fine-tuned teacher: python wip/finetune_masks.py TEACHER.pt SHARED OUT."""

import sys
from pathlib import Path

import cv2
import torch
from finetune import Teacher, person

from sinet.data import find_samples
from sinet.training import write_soft_masks

if __name__ == "__main__":
    weights, shared, out = map(Path, sys.argv[1:])
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    model = Teacher(shared / "weights/deeplabv3_mobilenetv2_voc.onnx")
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.eval()

    def look(image):
        return cv2.resize(person(model, image), image.shape[1::-1])

    print(write_soft_masks(find_samples(shared / "data/eg1800", "train"), look, out))
