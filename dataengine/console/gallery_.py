"""`gallery` on a console."""

import webbrowser
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pipelines
from dataengine.console.shared.progress import shown_progress
from dataengine.console.shared.signals import ended_by_signals
from dataengine.console.shared.text import number_of, say
from pipelines.pages.gallery.dataset import GalleryDataset
from pipelines.workspace.workspace import Workspace
from sinet.escaping import printable


@dataclass(frozen=True, kw_only=True)
class GalleryOptions:
    """What is wanted: see the command's options."""

    portraits: int
    port: int | None
    data_dir: Path | None
    open: bool


def run_gallery(
    root: Path,
    opened: Callable[[], AbstractContextManager[Workspace]],
    options: GalleryOptions,
) -> None:
    """Start a gallery, say where it is, and stop it on Ctrl-C or SIGTERM.

    Args:
        root: of the workspace.
        opened: the workspace, as long as it is read.
        options: of the command.

    Raises:
        PipelineError: there is nothing to show, or it cannot be started.
    """
    folder = options.data_dir or pipelines.default_gallery_dir(root)
    try:
        with ended_by_signals(), pipelines.gallery_place(folder, options.port) as place:
            with opened() as workspace, shown_progress() as progress:
                dataset = pipelines.write_dataset(
                    workspace, place.session, place.journal, options.portraits, progress
                )
            say("Starting LightlyStudio (the first time it is installed) …", err=True)
            with pipelines.running_gallery(place, dataset) as gallery:
                _tell(dataset, gallery.url, root)
                if options.open and not webbrowser.open(gallery.url):
                    say("no browser was found; open the address by hand", err=True)
                gallery.wait()
    except KeyboardInterrupt:
        say("Stopped.", err=True)


def _tell(dataset: GalleryDataset, url: str, root: Path) -> None:
    shown = number_of(dataset.shown, "portrait")
    if dataset.shown + dataset.unreadable < dataset.portraits:
        shown += f" of {dataset.portraits:,}, both ends of doubt and the rest by chance"
    # To the terminal only: the address opens it.
    say(f"Gallery   {url}")
    say(f"  shows   {shown}")
    say(f"  map     from the features of {printable(dataset.network)}")
    if dataset.unreadable:
        say(
            f"warning: {dataset.unreadable:,} pictures cannot be read (`dataengine verify`)",
            err=True,
        )
    say("Tag what you see review, fix or reject; then, in another terminal:")
    say(f"  dataengine -w {printable(str(root))} gallery pull --by NAME")
    say("Ctrl-C stops it.", err=True)
