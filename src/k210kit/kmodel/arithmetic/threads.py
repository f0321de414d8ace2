"""Both cores without getting in each other's way: our own threads, and matrix products on one thread each.

A BLAS library's own threads wait for each other by spinning. On a busy machine that costs far more than it gains (on
two cores with one of them busy: 170 ms where one thread takes 12), so inside `own_threads` every product runs on the
thread that asks for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["own_threads", "pool", "workers"]

_lock = threading.Lock()
_users = 0
_before: list[int] = []  # threads of each BLAS library when the first user came


def workers() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pool() -> ThreadPoolExecutor:
    """The threads that share the work; a forked process gets its own."""
    return _pool(os.getpid())


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(workers(), thread_name_prefix="k210kit")


@contextmanager
def own_threads() -> Iterator[None]:
    """Matrix products take one thread each; when the last user leaves, BLAS has its own threads back."""
    global _users, _before
    with _lock:
        if _users == 0:
            _before = [library.get_num_threads() for library in _libraries()]
            _set([1] * len(_before))
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _set(_before)


def _set(numbers: list[int]) -> None:
    """Set each library's number, always from the same thread: OpenBLAS 0.3.31 heeds only the first that ever did."""

    def in_that_thread() -> None:
        for library, number in zip(_libraries(), numbers, strict=True):
            library.set_num_threads(number)

    _setter(os.getpid()).submit(in_that_thread).result()


@cache
def _setter(_process: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, thread_name_prefix="k210kit-blas")


@cache
def _libraries() -> list[Any]:
    """The BLAS libraries of this process, as threadpoolctl sees them; none where it is Accelerate."""
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
