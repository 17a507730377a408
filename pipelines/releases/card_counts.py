"""What a card counts of a release's members, in one pass over them."""

from array import array
from collections import Counter
from collections.abc import Iterable

from db import Split, Trust
from pipelines.certify.certificates import Certificate
from pipelines.releases.attribution import OriginCounts
from pipelines.releases.entry import Entry
from sinet.escaping import markdown


class CardCounts:
    """Counts of a release.

    Attributes:
        portraits: members, negatives included.
        negatives: of them.
        by_audits: negatives that nobody looked at, by the audit that they rest on.
        trust: members by split and by why their mask is trusted.
        sources: by who made the mask.
        makers: by network; people are not named.
        verdicts: of the automatic checks.
        reasons: what the checks doubted.
        proofs: of the masks that stand on a certificate: which, and whether people saw the mask.
        origins: where the photos come from.
        sides_px: shorter side of each portrait but the negatives.
        faces_px: height of each one's face.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.portraits = self.negatives = 0
        self.by_audits: Counter[str] = Counter()
        self.trust: Counter[tuple[Split, Trust]] = Counter()
        self.sources: Counter[str] = Counter()
        self.makers: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.proofs: Counter[tuple[Certificate, bool]] = Counter()
        self.origins = OriginCounts()
        self.sides_px, self.faces_px = array("d"), array("d")
        self._photos: set[bytes] = set()
        self._groups: set[int] = set()
        for entry in entries:
            self._add(entry)

    @property
    def photos(self) -> int:
        """Photos that the portraits are cropped from."""
        return len(self._photos)

    @property
    def groups(self) -> int:
        """Groups of near-duplicates that these photos are in."""
        return len(self._groups)

    def _add(self, entry: Entry) -> None:
        self.portraits += 1
        self._photos.add(bytes.fromhex(entry.photo_sha256))
        self._groups.add(entry.group_id)
        self.trust[entry.split, entry.trust] += 1
        self.sources[str(entry.mask_source)] += 1
        by_hand = entry.trust in (Trust.FIXED, Trust.IMPORTED)
        # Weights are named with their SHA-256.
        self.makers["a person" if by_hand else markdown(entry.producer)] += 1
        self.verdicts[entry.verdict] += 1
        self.reasons.update(entry.reasons)
        self.origins.add(entry.origin)
        if entry.certificate is not None:
            self.proofs[entry.certificate, entry.audited] += 1
        if entry.negative:
            self.negatives += 1
            if entry.trust is Trust.CERTIFIED:
                self.by_audits[entry.producer] += 1
        else:
            self.sides_px.append(min(entry.width, entry.height))
            self.faces_px.append(entry.face_height)
