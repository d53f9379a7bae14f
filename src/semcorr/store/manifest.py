"""The manifest beside a store: what downstream rules depend on."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from semcorr.store.files import read_json, write_json

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One item of a chunk.

    Attributes:
        id: item id.
        status: "ok" or one of semcorr.errors.PERMANENT_STATUSES.
        reason: why it failed, empty when ok.
        sha256: content hash of the item's arrays, empty when failed.
        shapes: array name -> shape, empty when failed.
    """

    id: str
    status: str
    reason: str = ""
    sha256: str = ""
    shapes: dict[str, list[int]] | None = None


@dataclass(frozen=True)
class Manifest:
    """All rows of a chunk, sorted by id."""

    rows: tuple[Row, ...]

    @property
    def ok_ids(self) -> list[str]:
        """Ids of the items that are there, in the order of the store's item axis."""
        return [row.id for row in self.rows if row.status == "ok"]

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """Rows by item id."""
        return {row.id: row for row in self.rows}

    @property
    def content(self) -> str:
        """Hash over all rows: equal manifests mean equal stores."""
        total = hashlib.sha256()
        for row in self.rows:
            total.update(f"{row.id}\x1f{row.status}\x1f{row.reason}\x1f{row.sha256}\x1e".encode())
        return total.hexdigest()

    def write(self, path: Path) -> None:
        """Write as JSON; holds nothing that changes between two runs (no time, host, code)."""
        items = [
            {"id": r.id, "status": r.status}
            | ({"reason": r.reason} if r.reason else {"sha256": r.sha256, "shapes": r.shapes or {}})
            for r in self.rows
        ]
        write_json(path, {"schema": SCHEMA, "content": self.content, "items": items})


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        ValueError: damaged file or unknown schema; the message names the file.
    """
    value: dict[str, Any] = read_json(path)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"{path}: expected a manifest of schema {SCHEMA}; delete it and run again")
    rows = tuple(
        Row(i["id"], i["status"], i.get("reason", ""), i.get("sha256", ""), i.get("shapes"))
        for i in value["items"]
    )
    manifest = Manifest(rows)
    if manifest.content != value["content"]:
        raise ValueError(f"{path}: rows and content hash differ; delete it and run again")
    return manifest
