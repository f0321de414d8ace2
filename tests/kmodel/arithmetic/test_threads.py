from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from k210kit.kmodel.arithmetic.threads import own_threads, pool, workers


def blas_threads() -> list[int]:
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


def test_matrix_products_take_one_thread_until_the_last_user_leaves() -> None:
    before = blas_threads()
    with own_threads():
        with own_threads():
            assert set(blas_threads()) <= {1}
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def test_users_may_leave_in_any_order() -> None:
    before, entered, leave = blas_threads(), threading.Event(), threading.Event()
    seen_by_the_other = []

    def other() -> None:
        with own_threads():
            entered.set()
            leave.wait(10)
            seen_by_the_other.append(blas_threads())

    thread = threading.Thread(target=other)
    with own_threads():
        thread.start()
        assert entered.wait(10)
    leave.set()
    thread.join()
    assert set(seen_by_the_other[0]) <= {1}
    assert blas_threads() == before


def test_there_is_a_worker_for_each_core() -> None:
    assert workers() >= 1
    assert pool() is pool()


def test_machine_code_is_made_even_if_there_is_no_folder_to_keep_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from k210kit.kmodel.arithmetic import jit

    real = jit.njit

    def without_folder(**options: Any) -> Any:
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    def double(x, out):  # type: ignore[no-untyped-def]
        for i in range(x.size):
            out[i] = 2 * x[i]

    monkeypatch.setattr(jit, "njit", without_folder)
    out = np.zeros(3)
    jit._compiled(double)(np.arange(3.0), out)
    assert out.tolist() == [0, 2, 4]
