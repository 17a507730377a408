"""MkDocs: what the pages link to outside of `docs`.

Links are written as they lead in a checkout, and on the pages of a repository. Pages outside of
`docs` become pages of the site, at the same path; single files are copied beside them; a folder,
which is no page, keeps its name and loses its link. Where a link shows a page's file name, the site
shows what its navigation calls the page.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
FRONT = {"README.md": "index.md"}
"""What the site has in another place."""
PAGES = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "sinet/weights/README.md",
    "examples/bundled_weights/README.md",
    "examples/web_crawl/README.md",
)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_FENCED = re.compile(r"(^ *```.*?^ *```)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of `docs`, and the files that any page links to."""
    for path in PAGES:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    for page in files.documentation_pages():
        for link in _LINK.findall(page.content_string) if _in_checkout(page) else ():
            target = _target(page, link[1])
            known = files.get_file_from_path(_in_site(target))
            if known is None and "://" not in link[1] and (ROOT / target).is_file():
                copied = File.generated(config, _in_site(target), abs_src_path=str(ROOT / target))
                files.append(copied)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where their targets are in the site."""
    del config
    if not _in_checkout(page.file):
        return markdown
    folder = posixpath.dirname(page.file.src_uri) or "."

    def moved(found: re.Match[str]) -> str:
        text, link, anchor = found.groups(default="")
        target = _target(page.file, link)
        if "://" in link:
            return found[0]
        if (ROOT / target).is_dir():
            return text
        linked = files.get_file_from_path(_in_site(target))
        if target.endswith(text) and linked and linked.page and linked.page.title:
            text = str(linked.page.title)
        return f"[{text}]({posixpath.relpath(_in_site(target), folder)}{anchor})"

    parts = _FENCED.split(markdown)
    return "".join(
        part if number % 2 else _LINK.sub(moved, part) for number, part in enumerate(parts)
    )


def _in_checkout(file: File) -> str | None:
    """Where a page lies in the checkout; None if it lies nowhere."""
    if file.abs_src_path is None:
        return None
    return Path(file.abs_src_path).relative_to(ROOT).as_posix()


def _target(page: File, link: str) -> str:
    """Where a link on a page leads to in the checkout."""
    folder = posixpath.dirname(str(_in_checkout(page)))
    return posixpath.normpath(posixpath.join(folder, link))


def _in_site(path: str) -> str:
    """Where the site has what lies at a path of the checkout."""
    return FRONT.get(path, path.removeprefix(DOCS))
