"""Which shards of img2dataset count."""

import pytest

from pipelines.ingest.shards import unfinished_shards


@pytest.mark.parametrize(
    ("names", "unfinished"),
    [
        (["00000.tar", "00000.parquet", "00000_stats.json"], set()),
        (["00000", "00000.parquet", "00000_stats.json"], set()),
        (["00000.tar", "00000.parquet"], {"00000.tar"}),
        (["00000.tar", "00000_stats.json"], {"00000.tar"}),
        (["00000", "00000.parquet", "00001.tar", "00001.parquet"], {"00000", "00001.tar"}),
        (["0.tar", "1.tar", "1.parquet", "1_stats.json"], {"0.tar"}),
        # Nobody's but a person's own numbers.
        (["00000.tar", "00001.tar", "2021", "a.parquet", "a_stats.json", "a.tar"], set()),
        (["2021", "00000.tar", "00000.parquet", "00000_stats.json"], set()),
        (["00000.parquet", "00001.parquet", "00001_stats.json"], set()),
        ([], set()),
    ],
)
def test_a_shard_counts_with_its_table_and_statistics(
    names: list[str], unfinished: set[str]
) -> None:
    assert unfinished_shards(names) == unfinished
