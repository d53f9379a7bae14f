"""Items of an Objaverse-XL set while planning: a CSV, standard library only.

Columns: `identifier` (the `fileIdentifier` of the annotation files), and any of `path` (needed for objects
of sketchfab: `glbs/{folder}/{uid}.glb`), `category`, `licence`, `author`, `title`, `page`, `sha256`, `up`,
`front`.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from semcorr.datasets.list_index import read_list
from semcorr.datasets.members import Member, expanded, truth_below
from semcorr.datasets.object_list import UID, read_csv, wrong_hash
from semcorr.datasets.xl_identifiers import Identifier, id_of, parse

COMMAND = "python -m semcorr.stages.objaverse_xl_list"
# What semcorr.geometry.reader reads, without importing it
FORMATS = (".glb", ".gltf", ".obj", ".off", ".ply", ".stl")
_GLB = re.compile(rf"glbs/\d{{3}}-\d{{3}}/({UID})\.glb", re.ASCII)


def read_members(entry: Mapping[str, Any]) -> Mapping[str, Member]:
    """Return the members of an entry by id, sorted; those of a long list are looked up when asked for.

    Raises:
        UserError: no such list, not UTF-8 or CSV, or no column `identifier`.
    """
    return _members(expanded(entry["list"]), entry["chunks"])


def mesh_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return no file: meshes are made of downloads."""
    return []


def truth_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return the label, keypoint and symmetry files of usable members that are there."""
    return truth_below(expanded(entry["truth"]), members, read_members(entry))


@lru_cache(maxsize=32)
def _members(path: str, chunks: int) -> Mapping[str, Member]:
    return read_list(path, chunks, _rows)


def _rows(path: str) -> Iterator[Member]:
    identified = (parse(row["identifier"]) for row in read_csv(path, "identifier", COMMAND))
    counts = Counter(known.id for known in identified if known)
    for row in read_csv(path, "identifier", COMMAND):
        yield _member(row, parse(row["identifier"]), counts)


def _member(row: dict[str, str], known: Identifier | None, counts: Mapping[str, int]) -> Member:
    text, category = row["identifier"], row.get("category", "")
    if known is None:
        reason = f"identifier {text[:200]!r} is of no known source"
        return Member(id_of(text), category, "bad_name", reason, row)
    columns = {**row, "page": row.get("page") or text, "source": known.source}
    columns["path"] = row.get("path", "") if known.source == "sketchfab" else known.path
    status, reason = _examine(columns, known, counts[known.id])
    return Member(known.id, category, status, reason, columns)


def _examine(columns: dict[str, str], known: Identifier, count: int) -> tuple[str, str]:
    if count > 1:
        return "duplicate", f"identifier {known.text!r} is given {count} times"
    path = columns["path"]
    if known.source == "sketchfab":
        match = _GLB.fullmatch(path)
        if match is None or match[1] != known.id:
            return "bad_name", f"path {path!r} is not that of {known.id} in Objaverse"
    ending = os.path.splitext(path)[1].lower()
    if ending not in FORMATS:
        return (
            "failed",
            f"files of format {ending or '(none)'} are not read, only {' '.join(FORMATS)}",
        )
    if reason := wrong_hash(columns):
        return "bad_name", reason
    return "ok", ""
