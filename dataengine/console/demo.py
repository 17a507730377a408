"""`demo` on a console: what was made, and where to look."""

from dataengine.console.ingest import print_ingested
from dataengine.console.shared.text import say
from pipelines.pages.demo import SECOND_OPINION, TEACHER, Demonstrated


def print_demonstrated(done: Demonstrated) -> None:
    """What became of the crawl, and how to go on."""
    print_ingested(done.ingested, done.funnel, as_json=False)
    if done.relabelled is None:
        return
    for each in done.relabelled.relabelled:
        say(
            f"portrait {each.portrait_id}: refined with {SECOND_OPINION}, "
            f"{each.change:.1%} of the mask changed, now {each.verdict}"
        )
    say("")
    say(f"{len(done.pictures)} portraits with their masks:  {done.root / 'pictures'}")
    say(f"Everything on one page, to be opened:  {done.report}")
    say(f"A new photo, and what SINet sees in it:  {done.prediction}")
    say(f"Go on with your own photos: dataengine -w {done.root} ingest ./raw --teacher {TEACHER}")
