"""What lies beside photos and is none, told by its name: sidecars, leftovers, other media.

Phones, file managers, editors, downloaders and crawlers leave files in photo folders. Reading them
as photos would count them as failures, or as copies of the photo that they belong to.
"""

from typing import Final

# Metadata of crawlers, data sets, cameras and editors.
_SIDECARS: Final = frozenset(
    {
        ".aae", ".cls", ".cos", ".css", ".csv", ".db", ".dop", ".htm", ".html", ".idx", ".ini",
        ".js", ".json", ".jsonl", ".lnk", ".log", ".lst", ".md", ".md5", ".nfo", ".npy", ".npz",
        ".parquet", ".pickle", ".pkl", ".pp3", ".rst", ".sfv", ".sha1", ".sha256", ".sqlite",
        ".srt", ".thm", ".toml", ".tsv", ".txt", ".url", ".vtt", ".webloc", ".xml", ".xmp",
        ".yaml", ".yml",
    }
)  # fmt: skip
# Half a download, or an editor's former state: the whole one lies beside it or will be fetched.
_UNFINISHED: Final = frozenset(
    {
        ".!qb", ".!ut", ".aria2", ".bak", ".crdownload", ".download", ".filepart", ".old",
        ".opdownload", ".orig", ".part", ".partial", ".swp", ".temp", ".tmp", ".torrent", ".ytdl",
    }
)  # fmt: skip
VIDEO_SUFFIXES: Final = frozenset(
    {
        ".3gp", ".avi", ".flv", ".lrv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
        ".mts", ".ogv", ".webm", ".wmv",
    }
)  # fmt: skip
ARCHIVE_SUFFIXES: Final = frozenset(
    {
        ".7z", ".bz2", ".gz", ".lz4", ".rar", ".tbz2", ".tgz", ".txz", ".xz", ".zip", ".zst",
    }
)  # fmt: skip
_OTHER_MEDIA: Final = frozenset(
    {
        ".aac", ".ckpt", ".doc", ".docx", ".flac", ".h5", ".ipynb", ".m4a", ".mp3", ".odt", ".ogg",
        ".onnx", ".pdf", ".ppt", ".pptx", ".pt", ".pth", ".py", ".safetensors", ".sh", ".svg",
        ".svgz", ".wav", ".xls", ".xlsx",
    }
)  # fmt: skip
_SUFFIXES: Final = _SIDECARS | _UNFINISHED | VIDEO_SUFFIXES | ARCHIVE_SUFFIXES | _OTHER_MEDIA
# A name of Windows' alternate streams, whatever the copying program made of its colon.
_STREAMS: Final = ("zone.identifier", ":encryptable", ":afp_afpinfo", ":afp_resource")
_NAMES: Final = frozenset(
    {
        "authors", "changelog", "copying", "dockerfile", "icon\r", "license", "licence",
        "makefile", "notice", "readme",
    }
)  # fmt: skip
_FOLDERS: Final = frozenset(
    {
        "@eadir", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "__pycache__",
        "lost+found", "system volume information",
    }
)  # fmt: skip


def left_out(name: str) -> str | None:
    """Say why a file of this name is no photo; None if it may be one.

    Args:
        name: of the file, without its folder.

    Returns:
        A word to count it under: `hidden` (a leading dot, so also macOS' `._NAME`), `backup`,
        `:Zone.Identifier` (or another stream of Windows), a suffix in lower case such as `.xmp`,
        or a whole name such as `readme`.
    """
    if name.startswith("."):
        return "hidden"
    if name.endswith("~") or name.startswith("~$"):
        return "backup"
    lower = name.lower()
    dot = lower.rfind(".")
    if dot < 0:
        return lower.strip() if lower in _NAMES else _stream(lower)
    suffix = lower[dot:]
    if suffix in _SUFFIXES:
        return ".tar" + suffix if lower[:dot].endswith(".tar") else suffix
    return _stream(lower)


def left_out_folder(name: str) -> str | None:
    """Say why a folder of this name holds no photos of its own; None if it may.

    Args:
        name: of the folder, without the one that it is in.

    Returns:
        `hidden`, or its name: `@eaDir` holds a NAS' thumbnails, `__MACOSX` what macOS adds to
        archives.
    """
    if name.startswith("."):
        return "hidden"
    return name if name.lower() in _FOLDERS else None


def _stream(lower: str) -> str | None:
    if not lower.endswith(_STREAMS):
        return None
    return ":Zone.Identifier" if lower.endswith("zone.identifier") else lower[lower.rfind(":") :]
