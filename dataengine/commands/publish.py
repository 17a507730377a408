"""`dataengine publish`."""

from typing import Annotated

import typer

EPILOG = """
**Examples**

    dataengine publish anna/portraits --dry-run
    dataengine publish anna/portraits
    dataengine publish anna/faces export-1 --public
    dataengine publish s3://bucket/portraits export-1
"""


def publish(
    context: typer.Context,
    repo: Annotated[
        str,
        typer.Argument(
            metavar="REPO",
            help="OWNER/NAME of a dataset on the Hub, made if it is not there; or a new folder "
            "in a bucket: s3://, gs://, az://.",
            show_default=False,
        ),
    ],
    release: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]",
            help="Name of a release, or the folder it was moved to; the Hub wants `export "
            "--format hf`.",
            show_default="the latest",
        ),
    ] = None,
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Everybody may see it; needs a licence for every photo that allows that.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Ask the Hub what would be done, and change nothing."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Push a release to the Hugging Face Hub, private unless you say otherwise, or to a bucket.

    One commit with everything, and a tag of the release's name: nobody sees half a release. Not if
    `verify` finds anything wrong, a photo in it was forgotten since, or the policy refuses one.
    What is there already stays as it is, and what was cut off goes on. The token is that of
    HF_TOKEN or of `hf auth login`.

    In a bucket each file is created, checksums.txt last: whoever finds that finds all of it.
    """
    import pipelines
    from dataengine.console.publish import print_published
    from dataengine.console.shared.progress import shown_progress
    from dataengine.context import opened

    request = pipelines.PublishRequest(repo=repo, release=release, public=public, dry_run=dry_run)
    with opened(context, read_only=True) as workspace, shown_progress() as progress:
        found = pipelines.publish_release(workspace, request, progress)
    print_published(found, dry_run=dry_run, as_json=json)
