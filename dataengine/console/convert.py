"""`convert` on a console."""

from dataclasses import asdict

from dataengine.console.shared.text import print_json, say
from sinet.convert import Conversion


def print_conversion(done: Conversion, *, as_json: bool) -> None:
    """What was written, and how it agrees with PyTorch."""
    agreement = done.agreement
    if as_json:
        print_json(
            {
                "path": str(done.path),
                "size_bytes": done.size_bytes,
                "folded": done.folded,
                "agreement": asdict(agreement),
            }
        )
        return
    say(f"Wrote {done.path}, {done.size_bytes:,} bytes")
    say(
        f"On {agreement.images} images its masks overlap PyTorch's by {agreement.mask_iou:.4f} "
        f"(IoU), its probabilities differ by at most {agreement.max_difference:.1e}"
    )
