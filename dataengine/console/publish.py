"""`publish` on a console."""

from dataengine.console.shared.text import number_of, print_json, say
from pipelines.lineage.publishing import Published


def print_published(found: Published, *, dry_run: bool, as_json: bool) -> None:
    """What was done, or would be."""
    if as_json:
        print_json(_as_dict(found, dry_run))
        return
    if found.public is None:
        _print_folder(found, dry_run)
        return
    seen_by = "public" if found.public else "private"
    if not found.tagged:
        say(f"{found.release} is at {found.url} already ({seen_by}): nothing to do")
        return
    number, megabytes = number_of(len(found.files), "file"), f"{found.bytes / 1e6:,.1f} MB"
    if dry_run:
        for name, size in found.files.items():
            say(f"{size:>13,}  {name}")
        made = "a new repository" if found.created else "the repository that is there"
        sent = f"{number}, {megabytes}" if found.changed else "nothing but the tag"
        say(f"Would send {sent}, to {made} {found.repo} ({seen_by}), tag {found.release}")
    else:
        sent = f"{number}, {megabytes}" if found.changed else "the tag; the files were there"
        say(f"Published {found.release} at {found.url} ({seen_by}): {sent}")
        say(f'load_dataset("{found.repo}", revision="{found.release}")')
    if found.removed:
        gone = number_of(len(found.removed), "file")
        say(f"Without {gone} of the release before, which its tag keeps")


def _print_folder(found: Published, dry_run: bool) -> None:
    """In a bucket."""
    if not (found.changed or found.tagged):
        say(f"{found.release} is at {found.url} already: nothing to do")
        return
    number, megabytes = number_of(len(found.files), "file"), f"{found.bytes / 1e6:,.1f} MB"
    if dry_run:
        say(f"Would send what is missing of {number}, {megabytes}, to {found.url}")
        return
    say(f"Published {found.release} at {found.url}: {number}, {megabytes}")
    say(f"checksum {found.checksum}")


def _as_dict(found: Published, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "repository": found.repo,
        "url": found.url,
        "public": found.public,
        "release": found.release,
        "checksum": found.checksum,
        "commit": found.commit,
        "created": found.created,
        "changed": found.changed,
        "tagged": found.tagged,
        "files": found.files,
        "bytes": found.bytes,
        "removed": list(found.removed),
    }
