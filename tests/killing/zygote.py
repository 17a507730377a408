"""A process that has imported what commands need, and becomes one of them in each of its copies.

Importing takes longer than most of what is to be killed. For each line on standard input (JSON:
arguments, folder, environment, files for output) it forks: the copy runs the command line in a
process group of its own, and the original says the copy's process id and then how it ended.
"""

import json
import os
import sys

import sitecustomize

IMPORTED = (
    "alembic.command", "label_studio_sdk.client", "pipelines.certify.certifying",
    "pipelines.doubt.scoring", "pipelines.doubt.slices", "pipelines.ingest.run",
    "pipelines.label_studio.sdk_gateway", "pipelines.lineage.backup",
    "pipelines.lineage.collecting", "pipelines.lineage.forgetting", "pipelines.lineage.repairing",
    "pipelines.releases.exporting", "pipelines.review.pull", "pipelines.review.push",
    "pipelines.rounds.relabel", "pipelines.rounds.train_round", "sinet.training.run",
)  # fmt: skip


def serve() -> None:
    """Until standard input ends; returns in every copy once its command is done."""
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(order)
            return
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(order: dict[str, object]) -> None:
    """Run a command line as if started by a shell."""
    from dataengine.cli import main

    os.setsid()
    os.chdir(str(order["folder"]))
    os.environ.update(order["environment"])  # type: ignore[call-overload]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(str(order[name]), os.O_WRONLY | os.O_TRUNC), descriptor)
    sys.argv = ["dataengine", *order["arguments"]]  # type: ignore[misc]
    sitecustomize.install()
    main()


if __name__ == "__main__":
    for name in IMPORTED:
        __import__(name)
    serve()
