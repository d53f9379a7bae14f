"""Items kept in memory behind the interface of a chunk reader, for work that writes no store."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from semcorr.errors import ItemError
from semcorr.store.items import Arrays


@dataclass(frozen=True)
class MemoryReader:
    """Reads like a `ChunkReader`.

    Attributes:
        items: id -> arrays.
        attributes: what a store would carry.
    """

    items: dict[str, Arrays]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Ids of the items that are there."""
        return sorted(self.items)

    def read(self, item_id: str, names: Iterable[str] | None = None) -> Arrays:
        """Return an item's arrays (all, or those named)."""
        if item_id not in self.items:
            raise ItemError("not there", "upstream_failed")
        arrays = self.items[item_id]
        return {name: arrays[name] for name in (names or arrays)}

    def read_all(self) -> dict[str, Arrays]:
        """Return all arrays of all items, by id."""
        return {item_id: self.read(item_id) for item_id in self.ids}
