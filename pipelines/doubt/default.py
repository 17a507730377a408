"""The score before people have decided anything.

A logistic regression of one signal, `expected_iou`: the mask's IoU if the network's probabilities
are taken at their word. Its two numbers were fitted on EG1800's `train.txt` with the ONNX
DeepLabv3's masks as `ingest` makes them (docs/quality.md). For another teacher or another kind of
photos the order is as good a guess; the probability is none, which is why `certify` wants a fitted
score.
"""

from typing import Final

from pipelines.doubt.model import Logistic, ScoreModel

DEFAULT: Final = ScoreModel(
    columns=["expected_iou"],
    # A power of 1 leaves the signal as it is.
    logistic=Logistic(lambdas=[1.0], mean=[0.0], scale=[1.0], weights=[-33.69], intercept=28.89),
    boosting=None,
)
