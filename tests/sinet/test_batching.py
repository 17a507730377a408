"""Batches over threads: order, bounded look-ahead, errors in their place."""

import threading
from collections.abc import Iterator

import cv2
import pytest
import torch

from sinet.batching import batches, in_order, within


def test_results_keep_the_order_of_their_items_whoever_ends_first() -> None:
    first_may_end = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert first_may_end.wait(10)
        if number == 1:
            first_may_end.set()
        return number**2

    assert list(in_order(work, range(9), threads=2)) == [number**2 for number in range(9)]


def test_items_are_taken_no_further_than_there_are_threads() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = in_order(lambda number: number, items(), threads=3)
    for done in range(10):
        assert next(results) == done
        assert len(taken) <= done + 4
    results.close()
    assert len(taken) <= 13


def test_an_error_comes_where_its_result_would_have_been() -> None:
    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        return number

    results = in_order(work, range(5), threads=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(results)


def test_libraries_have_one_thread_each_meanwhile() -> None:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    try:
        seen = list(
            in_order(lambda _: (torch.get_num_threads(), cv2.getNumThreads()), range(4), threads=2)
        )
        assert seen == [(1, 1)] * 4
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def test_batches_and_what_they_may_weigh() -> None:
    assert list(batches(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(batches([], 3)) == []
    assert list(within([3, 3, 3, 9, 1, 5, 5], int, 6)) == [[3, 3], [3], [9], [1, 5], [5]]
    assert list(within([], int, 6)) == []
