"""Both cores without getting in each other's way: our own threads, and matrix products on one thread each.

A BLAS library's own threads wait for each other by spinning. On a busy machine that costs far more than it gains (on
two cores with one of them busy: 170 ms where one thread takes 12), so inside `own_threads` every product runs on the
thread that asks for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = ["own_threads", "pool", "workers"]

_lock = threading.Lock()
_users = 0
_limit: Any = None  # what threadpoolctl gives to restore the number of threads


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
    return ThreadPoolExecutor(workers(), thread_name_prefix="k210kit")


@contextmanager
def own_threads() -> Iterator[None]:
    """Matrix products take one thread each until the last user leaves; then BLAS has its own threads back."""
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()
                _limit = None


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
