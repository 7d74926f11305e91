"""One batch a thread: order, number of threads, and what happens to an error."""

import threading
import time

import pytest
import torch

from bascule.core.threads import beside, in_threads


@pytest.fixture(autouse=True)
def two():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_from_two_threads_of_one():
    seen = set()
    together = threading.Barrier(2, timeout=20)

    def work(k):
        seen.add(
            (threading.get_ident(), torch.get_num_threads(), torch.is_inference_mode_enabled())
        )
        if k < 2:
            together.wait()  # both are here at once
        time.sleep(0.01 * (5 - k))
        return k * k

    assert list(in_threads(work, range(5))) == [0, 1, 4, 9, 16]
    assert {told[1:] for told in seen} == {(1, True)} and len(seen) == 2
    assert torch.get_num_threads() == 2 and not torch.is_inference_mode_enabled()
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_an_error_arrives_and_the_rest_is_not_begun():
    begun = []

    def work(k):
        begun.append(k)
        if k == 1:
            raise ValueError("no")
        time.sleep(0.02)

    with pytest.raises(ValueError, match="no"):
        list(in_threads(work, range(100)))
    assert len(begun) < 20 and torch.get_num_threads() == 2


def test_nothing_to_do():
    assert list(in_threads(abs, [])) == []


def test_work_beside_this_thread():
    together = threading.Barrier(2, timeout=20)
    with beside() as begin:
        result = begin(lambda: together.wait() >= 0)
        together.wait()  # both are here at once
        assert result() is True
        failing = begin(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            failing()


def test_with_one_thread_work_waits_until_it_is_asked_for():
    torch.set_num_threads(1)
    done = []
    with beside() as begin:
        result = begin(lambda: done.append(1))
        assert done == []
        result()
    assert done == [1]
