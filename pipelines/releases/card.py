"""card.md: what a release holds, where it came from, and what is missing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from db import Split, Trust
from pipelines.certify.certificates import certificates_text
from pipelines.releases.attribution import OriginCounts
from pipelines.releases.card_counts import CardCounts
from pipelines.releases.selection import CoverageOfTest, Selection
from pipelines.review.status import ReviewerCounts
from sinet.escaping import markdown

CARD_FILE = "card.md"
PICTURE_FOLDER = "card"
_SIZES_FILE = "sizes.png"
_LICENCES_SHOWN = 20
_TICKS_PX = [tick for power in range(5, 13) for tick in (2**power, 3 * 2 ** (power - 1))]
_NO_LICENCE = (
    "Not stated. The photos belong to whoever made them, and the people in them have rights in "
    "them, too: settle both before this dataset is passed on (`licence` in `[release]` puts the "
    "answer here)."
)


@dataclass(frozen=True)
class CardFacts:
    """What a card says beside its entries.

    Attributes:
        selection: what is released and what is not.
        reviewers: people's work, by name; the card names nobody.
        licence: of the photos; None: not stated.
        command: that makes the release again.
    """

    selection: Selection
    reviewers: dict[str, ReviewerCounts]
    licence: str | None
    command: str


def write_card(folder: Path, facts: CardFacts) -> None:
    """Write card.md and its picture; the same facts make the same bytes.

    Args:
        folder: of the release.
        facts: all that it says.
    """
    counts = CardCounts(facts.selection.entries)
    (folder / PICTURE_FOLDER).mkdir()
    _draw_sizes(counts, folder / PICTURE_FOLDER / _SIZES_FILE)
    (folder / CARD_FILE).write_text(_card_text(facts, counts), encoding="utf-8")


def _card_text(facts: CardFacts, counts: CardCounts) -> str:
    """Return the card as Markdown."""
    selection = facts.selection
    parts = [
        "# Portraits with masks\n",
        (
            f"{counts.portraits:,} portraits from {counts.photos:,} photos in {counts.groups:,} "
            "groups of near-duplicates. A group is in one split only, and what is in `test` stays "
            "there in every release.\n"
        ),
        _splits(counts.trust),
        *_about_negatives(counts),
        "## The test split\n",
        _about_test(selection.test),
        "## Where the masks come from\n",
        _table("made by", counts.sources),
        _table("network or person's rule", counts.makers),
        _table("verdict of the automatic checks", counts.verdicts),
    ]
    if counts.proofs:
        parts += ["## Certificates\n", certificates_text(counts.proofs, selection.findings)]
    if counts.reasons:
        parts.append(_table("what the checks doubted", counts.reasons))
    parts += [
        (
            f"Not in it: {selection.untrusted:,} portraits without a trusted mask"
            f"{_left_out(selection.left_out)}{_refused(selection.refused)}.\n"
        ),
        *_about_origins(counts.origins),
        "## Sizes\n",
        f"![Sizes of portraits and faces]({PICTURE_FOLDER}/{_SIZES_FILE})\n",
        "## Reviewers\n",
        _about_reviewers(facts.reviewers),
        "## Licence\n",
        f"{facts.licence or _NO_LICENCE}\n",
        "## Made by\n",
        (
            f"```sh\n{facts.command}\n```\n\nThe same state of the workspace makes the same "
            "bytes; `sha256sum -c checksums.txt` checks them.\n"
        ),
    ]
    return "\n".join(parts)


def _splits(counts: Counter[tuple[Split, Trust]]) -> str:
    """Portraits by split and by why their mask is trusted."""
    kinds = [trust for trust in Trust if any(counts[split, trust] for split in Split)]
    head = ["split", "portraits", *map(str, kinds)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for split in Split:
        row = [counts[split, trust] for trust in kinds]
        lines.append([str(split), f"{sum(row):,}", *(f"{number:,}" for number in row)])
    return _markdown(lines)


def _about_test(test: CoverageOfTest) -> str:
    if not test.portraits:
        return "Empty: no portrait falls to it yet.\n"
    text = (
        f"{test.portraits:,} portraits fall to it by the hash of their photo, whatever their masks "
        f"are like; {test.released:,} of them are here ({test.released / test.portraits:.0%}). "
        "Only masks that a person decided on or drew are.\n"
    )
    missing = {
        "a person rejected the mask and none was drawn": test.rejected,
        "no person has looked yet": test.unseen,
        "people disagree or took their decision back": test.undecided,
    }
    if not any(missing.values()):
        return text
    note = (
        "\nMissing are those below. Rejected masks are the hard ones: as long as they are missing, "
        "scores on this split are better than on the crawl.\n"
        if test.rejected
        else "\n"
    )
    return f"{text}{note}\n{_table('missing', Counter(missing))}"


def _about_reviewers(reviewers: dict[str, ReviewerCounts]) -> str:
    if not reviewers:
        return "Nobody has reviewed masks of this workspace.\n"
    decisions = sum(sum(each.decisions.values()) for each in reviewers.values())
    # Each pair of decisions was counted once on either side.
    shared = sum(each.shared for each in reviewers.values()) // 2
    agreed = sum(each.agreed for each in reviewers.values()) // 2
    agreement = (
        f"Of {shared:,} pairs of decisions by two people on the same mask, {agreed:,} agree "
        f"({agreed / shared:.0%})."
        if shared
        else "No mask was decided on by two people, so their agreement is not known."
    )
    people = "1 person" if len(reviewers) == 1 else f"{len(reviewers):,} people"
    return f"{people} made {decisions:,} decisions in this workspace. {agreement}\n"


def _about_negatives(counts: CardCounts) -> list[str]:
    if not counts.negatives:
        return []
    by_audits = "".join(
        f", or ({number:,} of them) {markdown(how)}" for how, number in counts.by_audits.items()
    )
    return [
        (
            f"{counts.negatives:,} of them are negatives: a person has confirmed that nobody is in "
            f"the photo{by_audits}, and the mask is empty. They are marked `negative` in the "
            "manifest.\n"
        )
    ]


def _about_origins(origins: OriginCounts) -> list[str]:
    licences = origins.licences
    parts = ["## Where the photos come from\n", f"{origins.text()}\n"]
    if not licences:
        return parts
    shown = Counter(dict(licences.most_common(_LICENCES_SHOWN)))
    if len(licences) > len(shown):
        shown[f"{len(licences) - len(shown):,} others"] = licences.total() - shown.total()
    return [*parts, _table("licence", Counter({markdown(key): n for key, n in shown.items()}))]


def _refused(number: int) -> str:
    return f", and {number:,} whose photo the workspace's policy refuses" if number else ""


def _left_out(number: int) -> str:
    if not number:
        return ""
    return (
        f", and {number:,} whose photo turned out to be a near-duplicate of one in a stricter split"
    )


def _table(title: str, counts: Counter[str]) -> str:
    found = sorted(
        ((name, n) for name, n in counts.items() if n), key=lambda pair: (-pair[1], pair)
    )
    lines = [[title, "portraits"], ["---", "---:"], *([name, f"{n:,}"] for name, n in found)]
    return _markdown(lines)


def _markdown(lines: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _draw_sizes(counts: CardCounts, path: Path) -> None:
    """Histograms of the portraits' shorter sides and of the faces' heights."""
    import matplotlib as mpl

    mpl.use("Agg")
    import numpy as np
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(8, 2.8), dpi=100, sharey=True)
    for panel, values, label in (
        (axes[0], counts.sides_px, "shorter side of the portrait, px"),
        (axes[1], counts.faces_px, "height of the face, px"),
    ):
        low, high = max(1.0, min(values)), max(values)
        edges = np.geomspace(low, max(high, low * 1.1), 25)
        panel.hist(values, bins=edges, color="#3b6ea5")
        panel.set(xscale="log", xlabel=label)
        ticks = [tick for tick in _TICKS_PX if low <= tick <= high] or [round(low)]
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    axes[0].set_ylabel("portraits")
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
