"""One row of an item list, and the chunk that it is in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Member:
    """One row of an item list.

    Attributes:
        id: item id, unique in the data set.
        category: what it is; experiments choose by it.
        status: "ok", "missing", "outside", "bad_name" or "duplicate".
        reason: what is wrong, empty when ok.
        columns: all columns of the item list (empty for procedural sets).
        file: path of the mesh in a folder set, None in other sets or when the row is not ok.
    """

    id: str
    category: str
    status: str = "ok"
    reason: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None

    def digest(self, columns: tuple[str, ...]) -> str:
        """Hash of the status and of those columns that a stage reads."""
        text = "\x1f".join([self.status, self.reason, *(self.columns.get(c, "") for c in columns)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def chunk_of(item_id: str, chunks: int) -> int:
    """Return the hash bucket of an item: it never depends on the other items."""
    return int(hashlib.sha256(item_id.encode()).hexdigest(), 16) % chunks
