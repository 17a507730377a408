"""An audit by doubt as rows: its draws with their answers, and what is drawn next."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.certify.betting import Audit, Floats, Wave


def audit_of(
    waves: Sequence[Mapping[str, Any]],
    strata: Mapping[int, int],
    drawn: Sequence[int],
    answers: Mapping[int, bool],
) -> Audit:
    """The audit up to the first question without an answer.

    Later answers wait for it: which question is answered first may depend on the mask.

    Args:
        waves: as `Wave.as_dict` gave them.
        strata: of every mask of the set.
        drawn: masks, in the order of the draw.
        answers: mask → bad.
    """
    known = [Wave(**each) for each in waves]
    number = next((i for i, mask in enumerate(drawn) if mask not in answers), len(drawn))
    of_wave = np.repeat(np.arange(len(known)), [wave.size for wave in known])
    return Audit(
        sizes=np.bincount(list(strata.values())),
        stakes=np.array([wave.stakes for wave in known], np.float64),
        expected=np.array([wave.expected for wave in known], np.float64),
        wave=of_wave[:number],
        stratum=np.array([strata[mask] for mask in drawn[:number]], np.int64),
        bad=np.array([answers[mask] for mask in drawn[:number]], np.float64),
    )


def mean_ranks(strata: Sequence[int], ranks: Floats) -> Floats:
    """(strata,) mean rank of the masks of each.

    Args:
        strata: of each mask.
        ranks: of each, see `expectations.ranked`.
    """
    of = np.asarray(strata, np.int64)
    return np.asarray(np.bincount(of, ranks) / np.bincount(of))
