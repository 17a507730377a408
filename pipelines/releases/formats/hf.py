"""The format `hf`: a dataset repository of the Hugging Face Hub.

Tables in `data/`, as in the format `parquet`; `README.md`, whose head tells the Hub's viewer and
`datasets.load_dataset(FOLDER)` what is in them; and `croissant.json`, which tells everybody else.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from db import Split
from pipelines.releases.attribution import ATTRIBUTION_FILE
from pipelines.releases.card import CARD_FILE
from pipelines.releases.entry import Entry
from pipelines.releases.formats import croissant, parquet
from pipelines.releases.formats.columns import COLUMNS, Kind
from pipelines.releases.formats.parts import needing, writing
from pipelines.releases.rights import Rights, rights_of
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.store import Store
from sinet.json_text import to_json

README_FILE: Final = "README.md"
CROISSANT_FILE: Final = "croissant.json"
_DATA: Final = "data"
_NAME: Final = "Portraits with masks"
_SPLITS: Final = {Split.TRAIN: "train", Split.VAL: "validation", Split.TEST: "test"}
"""What readers of the Hub call them."""
_OF_SOME: Final = re.compile(rf"{_DATA}/(train|val|test)-\d+-of-\d+\.parquet|{ATTRIBUTION_FILE}")
_TYPES: Final = {
    Kind.TEXT: {"dtype": "string"},
    Kind.JSON: {"dtype": "string"},
    Kind.INTEGER: {"dtype": "int64"},
    Kind.NUMBER: {"dtype": "float64"},
    Kind.FLAG: {"dtype": "bool"},
    Kind.TEXTS: {"list": "string"},
    Kind.INTEGERS: {"list": "int64"},
}
_SIZES: Final = {
    1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M", 100_000_000: "10M<n<100M",
}  # fmt: skip
_ABOUT_LOADING: Final = """\
## How to load it

```python
from datasets import load_dataset

portraits = load_dataset("FOLDER")  # this folder, or the name of its repository
for row in portraits["train"]:
    mask = row["mask"].convert("L")  # 255: the portrait, 0: the rest
```

`certificate`, `origin` and `scores` are JSON as text. `croissant.json` describes the same in
[Croissant](https://docs.mlcommons.org/croissant/).
"""


def check() -> None:
    """Raise PipelineError if pyarrow or PyYAML is not installed."""
    with needing("hf"):
        import yaml  # noqa: F401


def write(folder: Path, entries: Sequence[Entry], store: Store, workers: int = 1) -> None:
    """Write ``data/SPLIT-00000-of-00002.parquet``, …, with the columns of the format `parquet`.

    Raises:
        PipelineError: pyarrow or PyYAML is not installed.
        WorkspaceError: a blob is missing or damaged, or a file cannot be written.
    """
    check()
    with writing(folder):
        (folder / _DATA).mkdir()
    parquet.write(folder / _DATA, entries, store, workers)


def describe(folder: Path, entries: Sequence[Entry], licence: str | None) -> None:
    """Write README.md, which is the card with a head for machines, and croissant.json.

    Args:
        folder: of the release, with its card.
        entries: its members.
        licence: stated for all photos of which nothing else is known.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    import yaml

    splits = Counter(entry.split for entry in entries)
    rights = rights_of(entries, licence)
    with writing(folder):
        card = (folder / CARD_FILE).read_text(encoding="utf-8")
        head = yaml.safe_dump(_head(splits, rights), sort_keys=False, allow_unicode=True)
        text = f"---\n{head}---\n\n{card}\n{_ABOUT_LOADING}\n## Fields\n\n{_fields()}"
        (folder / README_FILE).write_text(text, encoding="utf-8")
        described = croissant.described(_NAME, f"{_DATA}/*.parquet", _facts(entries, rights))
        (folder / CROISSANT_FILE).write_text(to_json(described, indent=2) + "\n", encoding="utf-8")


def stated_licence(folder: Path) -> str:
    """The licence that the head of a release's README.md states.

    Raises:
        PipelineError: PyYAML is not installed, or the release has no such head.
    """
    check()
    import yaml

    file = folder / README_FILE
    try:
        with file.open(encoding="utf-8") as text:
            return str(next(yaml.safe_load_all(text))["license"])
    except (OSError, ValueError, TypeError, KeyError, StopIteration, yaml.YAMLError) as error:
        raise PipelineError(f"{file}: has no head that states a licence ({error})") from error


def is_of_release(name: str) -> bool:
    """Whether a file of a repository that holds a release is one that only some releases have."""
    return _OF_SOME.fullmatch(name) is not None


def _head(splits: Counter[Split], rights: Rights) -> dict[str, Any]:
    there = {split: name for split, name in _SPLITS.items() if splits[split]}
    licence: dict[str, Any] = {"license": rights.hub_licence}
    if rights.hub_licence == "other":
        licence |= {"license_name": "see-the-card", "license_link": README_FILE}
    features: list[dict[str, Any]] = [
        {"name": name, "dtype": "image"} for name in parquet.PICTURES
    ] + [{"name": name} | _TYPES[kind] for name, (kind, _) in COLUMNS.items()]
    return {
        "pretty_name": _NAME,
        **licence,
        "task_categories": ["image-segmentation"],
        "tags": ["portrait-segmentation", "human-segmentation", "background-removal", "masks"],
        "size_categories": [_size(splits.total())],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": name, "path": f"{_DATA}/{split}-*.parquet"}
                    for split, name in there.items()
                ],
            }
        ],
        "dataset_info": {
            "features": features,
            "splits": [
                {"name": name, "num_examples": splits[split]} for split, name in there.items()
            ],
        },
    }


def _size(number: int) -> str:
    return next((name for limit, name in _SIZES.items() if number < limit), "n>100M")


def _fields() -> str:
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    lines += ["| `image` | picture | the portrait, a JPEG |"]
    lines += ["| `mask` | picture | of the same size, a PNG of 0 and 255 |"]
    lines += [f"| `{name}` | {kind.value} | {what} |" for name, (kind, what) in COLUMNS.items()]
    return "".join(f"{line}\n" for line in lines)


def _facts(entries: Iterable[Entry], rights: Rights) -> croissant.Facts:
    trust: Counter[str] = Counter()
    producers: set[str] = set()
    certificates: dict[int, tuple[int, float, float]] = {}
    consented = refused = 0
    for entry in entries:
        trust[str(entry.trust)] += 1
        if "@sha256:" in entry.producer:
            producers.add(entry.producer)
        if (proof := entry.certificate) is not None:
            certificates[proof.number] = (proof.population, proof.bound, proof.confidence)
        consent = entry.origin and entry.origin.consent
        consented += consent is True
        refused += consent is False
    return croissant.Facts(
        trust=trust,
        producers=sorted(producers),
        certificates=[certificates[number] for number in sorted(certificates)],
        consented=consented,
        refused=refused,
        rights=rights,
    )
