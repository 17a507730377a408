"""What the articles behind this project compare, each row a configuration that can be trained.

Of every article a table: its published network first, then what is changed of it, one thing a
row, and for SINet the networks that its article measures itself against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sinet.errors import ConfigError
from sinet.networks.options import Option
from sinet.suggestion import suggestion


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """A row of a table.

    Attributes:
        name: of the row.
        network: that is trained.
        recipe: by which; empty: its portrait recipe. Where that has two stages, half of the epochs
            are the encoder's.
        options: of the network that differ from its defaults.
        losses: weights that differ from the recipe's.
        asks: what the row is there to tell.
        published: what an article says of it, and of which data; empty: nothing that was found.
    """

    name: str
    network: str
    recipe: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    asks: str
    published: str = ""


def _sinet(name: str, asks: str, **options: Option) -> Ablation:
    return Ablation(name=f"sinet-{name}", network="sinet", options=options, asks=asks)


def _loss(name: str, asks: str, **losses: float) -> Ablation:
    return Ablation(name=f"sinet-{name}", network="sinet", losses=losses, asks=asks)


def _cgnet(name: str, asks: str, **options: Option) -> Ablation:
    return Ablation(name=f"cgnet-{name}", network="cgnet", options=options, asks=asks)


def _liteseg(name: str, asks: str, published: str = "", **options: Option) -> Ablation:
    return Ablation(
        name=f"liteseg-{name}", network="liteseg", options=options, asks=asks, published=published
    )


def _sanet(
    name: str, asks: str, published: str = "", *, categorical: float = 0, **options: Option
) -> Ablation:
    # The weight of a loss that needs a head of its own.
    losses = {"categorical": categorical} if categorical else {}
    if categorical:
        options["categorical"] = True
    return Ablation(
        name=f"sanet-{name}",
        network="sanet",
        options=options,
        losses=losses,
        asks=asks,
        published=published,
    )


def _rival(name: str, asks: str, published: str) -> Ablation:
    return Ablation(name=name, network=name, asks=asks, published=published)


_SINET: Final = (
    Ablation(
        name="sinet",
        network="sinet",
        asks="the published network",
        published="IoU 95.2, 0.087 M, 0.064 G (EG1800 with extra data, the authors' README); "
        "100.6 frames a second on a mobile phone (abstract)",
    ),
    _sinet("blocking-off", "the skip is added whole", blocking="off"),
    _sinet("blocking-reverse", "the skip goes where the network is sure", blocking="reverse"),
    _sinet("blocking-detached", "no gradient through the gate", blocking="detached"),
    _sinet("blocking-global", "the whole image weighs the skip, as in PAN", blocking="global"),
    _sinet("dilation", "S2 blocks spread kernels by what they pool", views="dilation"),
    _sinet("pools-1", "S2 blocks do not pool", pools=1),
    _sinet("pools-2", "S2 blocks pool by 2 at most", pools=2),
    _sinet("downsampling-dsconv", "no squeeze-excitation", downsampling="dsconv"),
    _sinet("downsampling-s2", "strided S2 modules shrink", downsampling="s2"),
    _sinet("kernels-3", "kernels of 3 × 3 only", kernels=3),
    _sinet("kernels-5", "kernels of 5 × 5 only", kernels=5),
    _loss("lambda-0", "no boundary loss (the recipe: λ = 0.5)", boundary=0.0),
    _loss("lambda-0.9", "the article's λ", boundary=0.9),
    _loss("losses-article", "the article's losses: no Jaccard, λ = 0.9", boundary=0.9, jaccard=0.0),
    _loss("cross-entropy", "cross-entropy alone", boundary=0.0, jaccard=0.0),
    _loss(
        "lovasz",
        "Lovász hinge instead of cross-entropy and Jaccard, as in the authors' code",
        cross_entropy=0.0,
        jaccard=0.0,
        lovasz=1.0,
    ),
    Ablation(
        name="sinet-paper",
        network="sinet",
        recipe="paper",
        asks="the article's recipe, two stages of half the epochs",
    ),
    _rival(
        "extremec3net",
        "by the same authors",
        "IoU 94.98, 0.038 M, 0.128 G (EG1800 with extra data, the authors' README)",
    ),
    _rival("portraitnet", "the best before", "30 frames a second on an iPhone 7 (abstract)"),
    _rival("mobilenetv3", "small, with LR-ASPP", ""),
    _rival("espnetv2", "scale 2.0", "0.79 M, 2.7 G (19 classes, 1024 × 512; README of DSRL)"),
    Ablation(
        name="espnetv2-1.5",
        network="espnetv2",
        options={"scale": "1.5"},
        asks="scale 1.5",
    ),
    _rival("enet", "one of the first small ones", "0.37 M (19 classes); others 0.35 and 0.36 M"),
    _rival("contextnet", "ContextNet12", "0.85 M (19 classes, ContextNet14); others 1.01 M"),
    _rival("fastscnn", "the two branches begin as one", "1.11 M (19 classes); others 1.02 M"),
    _rival("bisenet", "ResNet-18", "49.0 M (19 classes); others 14 M"),
)

_CGNET: Final = (
    Ablation(
        name="cgnet",
        network="cgnet",
        asks="the published network, M = 3, N = 21",
        published="mIoU 64.8, 0.5 M (Cityscapes test, 19 classes)",
    ),
    _cgnet("local", "no surrounding context", context="local"),
    _cgnet("surrounding", "no local context", context="surrounding"),
    _cgnet("surrounding-last", "surrounding context in the last block alone", context="last"),
    _cgnet("mixing", "a 1 × 1 convolution after each depthwise one", mixing=True),
    _cgnet("gate-off", "no global context", gate=False),
    _cgnet("residual-local", "the input is added before the gate", residual="local"),
    _cgnet("injection-off", "no shrunk image joined to the features", injection=False),
    _cgnet("relu", "ReLU instead of PReLU", activation="relu"),
    _cgnet("m6", "M = 6", early_blocks=6),
    _cgnet("n9", "N = 9", blocks=9),
    _cgnet("n12", "N = 12", blocks=12),
    _cgnet("n15", "N = 15", blocks=15),
    _cgnet("n18", "N = 18", blocks=18),
)

_LITESEG: Final = (
    Ablation(
        name="liteseg",
        network="liteseg",
        asks="the published network, MobileNetV2",
        published="mIoU 67.81, 4.38 M, 4.9 G (Cityscapes test, 19 classes)",
    ),
    _liteseg("aspp", "no dense kernels after the spread ones", pyramid="aspp"),
    _liteseg("short-off", "no short connection", short=False),
    _liteseg("long-off", "no long connection", long=False),
    _liteseg("connections-off", "neither connection", short=False, long=False),
    _liteseg("stride-16", "output stride 16", output_stride=16),
    _liteseg("stride-8", "output stride 8", output_stride=8),
    _liteseg(
        "shufflenet",
        "another backbone",
        "mIoU 65.17, 3.51 M, 2.75 G (Cityscapes test)",
        backbone="shufflenet",
    ),
    _liteseg(
        "darknet19",
        "another backbone",
        "mIoU 70.75, 20.55 M, 103.09 G (Cityscapes test)",
        backbone="darknet19",
    ),
)

_SANET: Final = (
    Ablation(
        name="sanet",
        network="sanet",
        asks="attention heads, ResNet-50, β = 0.8; α = 0, since a portrait always holds a person",
    ),
    _sanet("plain", "no heads: the dilated backbone alone", heads="none"),
    _sanet(
        "excitation",
        "squeeze-and-excitation heads",
        "attention is worth 4.1 mIoU more (as others quote it)",
        heads="excitation",
    ),
    _sanet("alpha-0.2", "the article's α", "the best α", categorical=0.2),
    Ablation(name="sanet-beta-0", network="sanet", losses={"coarse": 0.0}, asks="β = 0"),
    Ablation(
        name="sanet-beta-0.4",
        network="sanet",
        losses={"coarse": 0.4},
        asks="β = 0.4",
        published="0.8 is the best β",
    ),
    _sanet("resnet101", "another backbone", backbone="resnet101"),
    _sanet(
        "resnet101-excitation",
        "squeeze-and-excitation heads on it",
        "attention is worth 4.5 mIoU more (as others quote it)",
        backbone="resnet101",
        heads="excitation",
    ),
    _sanet(
        "efficientnet_b7",
        "another backbone",
        "mIoU 54.4 (PASCAL Context)",
        backbone="efficientnet_b7",
    ),
)

TABLES: Final[Mapping[str, Sequence[Ablation]]] = {
    "sinet": _SINET,
    "cgnet": _CGNET,
    "liteseg": _LITESEG,
    "sanet": _SANET,
}
"""Of each article the rows of its table; the first is the one that others are compared with."""


def chosen(tables: Sequence[str], names: Sequence[str]) -> list[Sequence[Ablation]]:
    """Return tables, cut down to rows.

    Args:
        tables: names of networks; none: all.
        names: of rows; none: all. The first of its table always stays, as what is compared with.

    Raises:
        ConfigError: no such table or row; the message suggests the nearest.
    """
    for table in tables:
        if table not in TABLES:
            raise _unknown("table of", table, TABLES)
    found = [TABLES[table] for table in tables or TABLES]
    known = [row.name for rows in found for row in rows]
    for name in names:
        whose = next((table for table in TABLES if name in {r.name for r in TABLES[table]}), None)
        if name not in known and whose is not None:
            raise ConfigError(f"`{name}` is a row of another table: add `--network {whose}`.")
        if name not in known:
            raise _unknown("row", name, known)
    if not names:
        return found
    cut = [[row for row in rows if row.name in names or row is rows[0]] for rows in found]
    return [rows for rows in cut if any(row.name in names for row in rows)]


def _unknown(what: str, name: str, known: Mapping[str, object] | Sequence[str]) -> ConfigError:
    hint = suggestion(name, known)
    return ConfigError(f"there is no {what} `{name}`{hint or ';'} Known are {', '.join(known)}.")
