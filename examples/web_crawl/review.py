"""What people add to a certificate: the crawl's doubtful masks, looked at one by one.

    python -m examples.web_crawl.review --shared ../shared --collected collected

After `collect`, whose certificate accepts the masks that the score doubts least, and leaves the
difficult photos out. Here every other mask of the splits `train` and `val` that the checks do not
reject is asked about; `judged.csv` beside this file holds the answers. Where answers are missing,
`review/` gets pictures of what is to be judged and the lines to fill in, and the same command goes
on afterwards. Written are, as `train --data` reads them:

    reviewed/            the certified ones, and those that somebody has accepted
    reviewed_held_back/  those of the split `val` that somebody has accepted and no certificate, to
                         choose recipes on
"""

import argparse
from pathlib import Path

from db import Decision, Split, Verdict
from examples.web_crawl import collect
from examples.web_crawl.collect import (
    Auditor,
    Plan,
    decided,
    of_split,
    opened,
    stored_mask,
    write_data_set,
    write_sheets,
)


def run(plan: Plan) -> dict[str, int] | None:
    """Ask what is not decided yet; images of the data sets. None: somebody has to look."""
    auditor = Auditor(plan)
    with opened(plan) as workspace:
        done = decided(workspace)
        lines = [
            line
            for split in (Split.TRAIN, Split.VAL)
            for line in of_split(workspace, plan, split)
            if line.portrait_id not in done and line.verdict != Verdict.REJECTED
        ]
        waiting = [line for line in lines if not auditor.knows(line)]
        if waiting:
            write_sheets(waiting, plan.out / "review")
            return None
        if lines:
            auditor.ask(workspace)
        certified = decided(workspace, Decision.CERTIFIED)
        # Among what people have accepted is what the audit asked about, which is not difficult.
        doubtful = decided(workspace, Decision.ACCEPT) - certified
        good = {"reviewed": doubtful | certified, "reviewed_held_back": doubtful}
        return {
            name: write_data_set(
                plan.out / name,
                [line for line in of_split(workspace, plan, split) if line.portrait_id in chosen],
                stored_mask,
            )
            for (name, chosen), split in zip(good.items(), (Split.TRAIN, Split.VAL), strict=True)
        }


def main() -> None:
    """Run, and say what there is or what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, default=Path("collected"))
    options = parser.parse_args()
    plan = Plan(options.shared.resolve(), options.collected.resolve())
    written = run(plan)
    if written is None:
        raise SystemExit(
            f"Look at the pictures in {plan.out / 'review'}, write accept or reject behind each "
            f"line of its judged.csv, append the lines to {collect.ANSWERS}, and run this again."
        )
    for name, count in written.items():
        print(f"{plan.out / name}: {count:,} images")


if __name__ == "__main__":
    main()
