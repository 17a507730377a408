"""`bench ablations` on a console: the tables, and where they are."""

import sys

from dataengine.console.shared.text import print_json, say
from pipelines.rounds import ablation_table
from pipelines.rounds.ablations import Ablated


def print_ablated(found: Ablated, *, as_csv: bool, as_json: bool) -> None:
    """The tables and the files."""
    files = [str(file) for file in found.files]
    if as_json:
        rows = [ablation_table.as_dict(row) for row in found.rows]
        print_json({"protocol": found.protocol, "rows": rows, "files": files})
    elif as_csv:
        sys.stdout.write(ablation_table.as_csv(found.rows))
    else:
        say(found.protocol)
        say("")
        for line in ablation_table.markdown(found.rows).splitlines():
            say(line)
        say(f"Wrote {', '.join(files)}")
