"""newlib's qsort (Bentley and McIlroy, 1993), swap for swap: it is not stable, and equal scores are common."""

from __future__ import annotations

__all__ = ["sort_by_falling_score"]

_INSERTION_BELOW, _PSEUDO_MEDIAN_ABOVE = 7, 40


def sort_by_falling_score(order: list[int], score: list[float]) -> None:
    """Sort `order` (numbers of boxes) in place so that `score` falls, ending with newlib's very order of equals."""
    waiting = [(0, len(order))]
    while waiting:
        start, count = waiting.pop()
        if count < _INSERTION_BELOW:
            _insert(order, score, start, count)
            continue
        pivot = _pivot(order, score, start, count)
        order[start], order[pivot] = order[pivot], order[start]
        waiting.extend(_partition(order, score, start, count))


def _insert(order: list[int], score: list[float], start: int, count: int) -> None:
    for last in range(start + 1, start + count):
        at = last
        while at > start and score[order[at - 1]] < score[order[at]]:
            order[at - 1], order[at] = order[at], order[at - 1]
            at -= 1


def _pivot(order: list[int], score: list[float], start: int, count: int) -> int:
    left, middle, right = start, start + count // 2, start + count - 1
    if count == _INSERTION_BELOW:
        return middle
    if count > _PSEUDO_MEDIAN_ABOVE:
        step = count // 8
        left = _median(order, score, left, left + step, left + 2 * step)
        middle = _median(order, score, middle - step, middle, middle + step)
        right = _median(order, score, right - 2 * step, right - step, right)
    return _median(order, score, left, middle, right)


def _median(order: list[int], score: list[float], i: int, j: int, k: int) -> int:
    a, b, c = score[order[i]], score[order[j]], score[order[k]]
    if a > b:  # comes before, as larger scores do
        return j if b > c else (k if a > c else i)
    return j if b < c else (i if a > c else k)


def _partition(order: list[int], score: list[float], start: int, count: int) -> list[tuple[int, int]]:
    """Split around the score at `start`; returns the two sides that are still to sort, as (start, count)."""
    end, pivot = start + count, score[order[start]]
    equal_left = left = start + 1
    equal_right = right = end - 1
    moved = False
    while True:
        while left <= right and score[order[left]] >= pivot:
            if score[order[left]] == pivot:
                moved = True
                order[equal_left], order[left] = order[left], order[equal_left]
                equal_left += 1
            left += 1
        while left <= right and score[order[right]] <= pivot:
            if score[order[right]] == pivot:
                moved = True
                order[right], order[equal_right] = order[equal_right], order[right]
                equal_right -= 1
            right -= 1
        if left > right:
            break
        order[left], order[right] = order[right], order[left]
        moved = True
        left += 1
        right -= 1
    if not moved:
        _insert(order, score, start, count)
        return []
    _exchange(order, start, left, min(equal_left - start, left - equal_left))
    _exchange(order, left, end, min(equal_right - right, end - equal_right - 1))
    first, second = left - equal_left, equal_right - right
    return [side for side in ((start, first), (end - second, second)) if side[1] > 1]


def _exchange(order: list[int], first: int, end: int, count: int) -> None:
    """Swap the first `count` from `first` with the last `count` before `end`, one pair after the other."""
    for i in range(count):
        a, b = first + i, end - count + i
        order[a], order[b] = order[b], order[a]
