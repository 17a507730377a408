"""`web` on a console."""

import shlex
from dataclasses import asdict

from dataengine.console.shared.text import print_json, say
from pipelines.pages.web import WebPage


def print_web_page(page: WebPage, *, as_json: bool) -> None:
    """What was written, and how to look at it."""
    if as_json:
        print_json({**asdict(page), "path": str(page.path)})
        return
    say(
        f"Wrote {page.path} ({page.size_bytes / 1e6:.1f} MB): {page.network}, "
        f"{page.width} × {page.height}"
    )
    say(
        f"On {page.agreement.images} images its masks overlap PyTorch's by "
        f"{page.agreement.mask_iou:.4f} (IoU)"
    )
    folder = shlex.quote(str(page.path))
    say(f"Look at it: python -m http.server --bind 127.0.0.1 --directory {folder}")
