"""Shapes that stay in memory: as many as a budget of bytes allows, whatever their number and size."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar

import numpy as np

Value = TypeVar("Value")


def nbytes_of(value: Any) -> int:
    """Return the bytes of all arrays in a value (dataclasses, mappings, tuples, lists, arrays)."""
    if isinstance(value, np.ndarray):
        # a broadcast array is as long as it says and as large as what it repeats
        return value.nbytes if all(value.strides) else value.itemsize
    if is_dataclass(value):
        return sum(nbytes_of(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(nbytes_of(each) for each in value.values())
    if isinstance(value, tuple | list):
        return sum(nbytes_of(each) for each in value)
    return 0


class Kept:
    """Values by key, made once as long as they fit.

    Args:
        budget: bytes of arrays that may be kept. The value that was asked for last is never counted:
            whoever asked holds it anyway.
        stay: who stays when more comes than fits: the "recent" ones, or the "first" ones. Of a cycle
            over too many the most recent are never those that come next.
    """

    def __init__(self, budget: int, stay: Literal["recent", "first"] = "recent"):
        self._budget = budget
        self._stay = stay
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what was made for a key, or make it; what `make` raises is raised, and not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value = make()
        size = nbytes_of(value)
        if self._stay == "recent":
            while self._kept and self._bytes + size > self._budget:
                self._bytes -= self._kept.popitem(last=False)[1][1]
        if self._bytes + size <= self._budget:
            self._kept[key] = (value, size)
            self._bytes += size
        return value
