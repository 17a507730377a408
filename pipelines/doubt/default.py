"""The score before people have decided anything.

Where somebody was asked beside the teacher a logistic regression of two signals: `expected_iou`,
the mask's IoU if the teacher's probabilities are taken at their word, and `student_disagreement`,
how much of the mask the other network does not see as it does. Else of the first alone. Their
numbers were fitted on EG1800's `train.txt` with the ONNX DeepLabv3's masks as `ingest` makes them
and its default second opinion (docs/quality.md). For another teacher or another kind of photos the
order is as good a guess; the probability is none, which is why `certify` wants a fitted score.
"""

from typing import Final

from pipelines.doubt.model import Logistic, ScoreModel


def _logistic(weights: list[float], intercept: float) -> Logistic:
    unchanged = len(weights)
    return Logistic(
        lambdas=[1.0] * unchanged,  # a power of 1 leaves a signal as it is
        mean=[0.0] * unchanged,
        scale=[1.0] * unchanged,
        weights=weights,
        intercept=intercept,
    )


DEFAULT: Final = ScoreModel(
    columns=["expected_iou"],
    logistic=_logistic([-33.69], 28.89),
    boosting=None,
    richer=[
        ScoreModel(
            columns=["expected_iou", "student_disagreement"],
            logistic=_logistic([-9.49, 32.4], 4.22),
            boosting=None,
        )
    ],
)
