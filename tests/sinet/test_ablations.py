"""The articles' tables: every row is a configuration that can be trained."""

from pathlib import Path

import pytest

from sinet.ablations import TABLES, chosen
from sinet.benchmark import Trial
from sinet.errors import ConfigError
from sinet.networks import NETWORKS, network_class, outline_network

ROWS = [row for rows in TABLES.values() for row in rows]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_a_configuration_of_its_own(row):
    trial = Trial(
        network=row.network,
        recipe=row.recipe,
        options=row.options,
        losses=row.losses,
        data=Path("data"),
        epochs=3,
        side=160,
        out=Path("out"),
    )
    config = trial.configuration()
    encoder = 1 if row.recipe else 0
    assert (config.model, config.encoder_epochs, config.epochs) == (
        row.network,
        encoder,
        3 - encoder,
    )
    assert row.options.items() <= config.options.items()
    assert {name: getattr(config.losses, name) for name in row.losses} == row.losses
    outline_network(config.model, 2, config.options)
    first = next(rows[0] for rows in TABLES.values() if row in rows)
    changes = (row.network, row.recipe, row.options, row.losses) != (first.network, "", {}, {})
    assert changes is (row is not first)


def test_no_two_rows_are_alike():
    assert len({row.name for row in ROWS}) == len(ROWS)
    kinds = {repr((row.network, row.recipe, row.options, row.losses)) for row in ROWS}
    assert len(kinds) == len(ROWS)


@pytest.mark.parametrize("table", TABLES)
def test_every_option_of_a_table_s_network_is_a_row(table):
    """But for values between two others, and those that a row of another table has."""
    varied = {name for row in TABLES[table] if row.network == table for name in row.options}
    assert varied == set(NETWORKS[table].known_options)
    assert TABLES[table][0].network == table


def test_rows_by_name_bring_what_they_are_compared_with():
    (rows,) = chosen([], ["cgnet-relu"])
    assert [row.name for row in rows] == ["cgnet", "cgnet-relu"]
    assert [rows[0].name for rows in chosen(["sanet", "sinet"], [])] == ["sanet", "sinet"]
    with pytest.raises(ConfigError, match="no row `cgnet-rel`; did you mean cgnet-relu"):
        chosen([], ["cgnet-rel"])
    with pytest.raises(
        ConfigError, match=r"`sanet-plain` is a row of another table: add `--network sanet`"
    ):
        chosen(["sinet", "cgnet"], ["sanet-plain"])
    with pytest.raises(ConfigError, match="no table of `liteseg2`; did you mean liteseg"):
        chosen(["liteseg2"], [])


def test_only_the_published_sinet_is_rewritten_for_speed():
    from sinet.checkpoint import Model
    from sinet.convert.converting import to_export
    from sinet.convert.folding import FoldedSINet
    from sinet.normalisation import InputSpec

    for options in ({}, {"views": "dilation"}, {"blocking": "off"}):
        network = network_class("sinet")(2, options)
        found, _ = to_export(Model(network, InputSpec()), fold=True)
        assert isinstance(found, FoldedSINet) is (options == {})
