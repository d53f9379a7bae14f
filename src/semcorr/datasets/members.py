"""Who is in a data set, in which chunk: known while planning, read with `csv` only.

The names of files in mesh files are read as text. A row that cannot be used (missing file, path that leaves
the folder, braces in a name, id given twice) is still a member: its status is part of its digest and becomes
a failed row of the manifest.
"""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from semcorr.datasets import dense_files
from semcorr.datasets.list_index import ByChunk, IndexedMembers, read_list
from semcorr.datasets.member import Member, chunk_of
from semcorr.datasets.object_list import examine, read_rows
from semcorr.errors import UserError
from semcorr.geometry.formats.references import referenced_files

FORBIDDEN_IN_NAMES = "{}\n\r\t\0"
# Truth files are named after the id, and file systems take names of 255 bytes
MAX_ID_BYTES = 200
# Joins two ids in the name of a pair
FORBIDDEN_IN_IDS = "<-"
REQUIRED_COLUMNS = ("id", "file")
TRUTH_FOLDERS = ("labels", "keypoints")


def read_members(datasets: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Member]:
    """Return the members of a data set by id, sorted; those of a long list are looked up when asked for.

    Args:
        datasets: the `datasets` section of the normalised configuration.
        name: entry to read; a turned set has the members of the set it is made from.

    Raises:
        UserError: the item list is missing or lacks a column.
    """
    entry = datasets[name]
    if entry["kind"] == "turned":
        return read_members(datasets, entry["from"])
    if entry["kind"] == "procedural":
        return _procedural(entry["category"], entry["seed"], entry["count"])
    if own := _items_module(entry["kind"]):
        return own.read_members(entry)
    return _listed(entry)


def base_entry(datasets: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the entry that holds the item list: the set itself, or what it was turned from."""
    entry = datasets[name]
    return datasets[entry["from"]] if entry["kind"] == "turned" else entry


def _items_module(kind: str) -> ModuleType | None:
    """Return the module that knows the items of a kind whose list is not items.csv, if it has one.

    It has the functions read_members(entry), mesh_files(entry, members), truth_files(entry, members).
    """
    name = f"semcorr.datasets.{kind}_items"
    return import_module(name) if find_spec(name) else None


def root_of(entry: Mapping[str, Any], key: str = "root") -> str:
    """Return the folder of a folder set (or of the truth of another), `expanded`."""
    return expanded(entry[key])


def expanded(path: str) -> str:
    """Return a path of the configuration with variables and ~ expanded.

    Links in it stay as they are and a relative path stays relative: files below it are inputs of jobs,
    and data or a working folder that moved behind the same path must not look like other inputs.
    """
    path = os.path.expanduser(os.path.expandvars(path))
    return path if ".." in path.split(os.sep) else os.path.normpath(path)


def chunks_of(datasets: Mapping[str, Mapping[str, Any]], name: str) -> Mapping[int, list[Member]]:
    """Return {chunk: members sorted by id}; empty buckets are left out."""
    members = read_members(datasets, name)
    if isinstance(members, IndexedMembers):
        return ByChunk(members.chunks(), members.in_chunk)
    count = base_entry(datasets, name)["chunks"]
    buckets: dict[int, list[Member]] = defaultdict(list)
    for member in members.values():
        buckets[chunk_of(member.id, count)].append(member)
    return dict(sorted(buckets.items()))


def ids_by_chunk(
    datasets: Mapping[str, Mapping[str, Any]], name: str, category: str
) -> Mapping[int, list[str]]:
    """Return {chunk: sorted ids} of all items of a category; chunks without are left out."""
    members = read_members(datasets, name)
    if isinstance(members, IndexedMembers):
        return ByChunk(
            members.chunks(category),
            lambda chunk: [m.id for m in members.in_chunk(chunk) if m.category == category],
        )
    return ids_dealt(ids_of(members, category), base_entry(datasets, name)["chunks"])


def ids_dealt(ids: Iterable[str], chunks: int) -> dict[int, list[str]]:
    """Return {chunk: ids} of some ids."""
    found: dict[int, list[str]] = defaultdict(list)
    for item_id in ids:
        found[chunk_of(item_id, chunks)].append(item_id)
    return dict(sorted(found.items()))


def ids_of(members: Mapping[str, Member], category: str, limit: int | None = None) -> list[str]:
    """Return the ids of a category, sorted; at most `limit`."""
    if isinstance(members, IndexedMembers):
        return members.of_category(category, limit)
    return [m.id for m in members.values() if m.category == category][:limit]


def procedural_id(category: str, family: int, index: int) -> str:
    """Return the id of a procedural shape; it holds the family, so that ids differ between sets."""
    return f"{category}_{family}_{index:05d}"


def mesh_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return the mesh files of usable members and the files that those name, as far as they are there.

    Buffers, material libraries and pictures count as far as they lie inside the data set, under names
    without braces: only they can be read, and only they can be inputs.
    """
    if "root" not in entry:
        return []
    if own := _items_module(entry["kind"]):
        return own.mesh_files(entry, members)
    root = root_of(entry)
    found = []
    for member in members:
        if member.status == "ok":
            found.append(member.file)
            found += usable(root, referenced_files(member.file))
    return list(dict.fromkeys(found))


def truth_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return the files of labels, keypoints, symmetry and dense maps of members that are there."""
    key = "root" if "root" in entry else "truth"
    if not entry.get(key):
        return []
    if own := _items_module(entry["kind"]):
        return own.truth_files(entry, members)
    return truth_below(root_of(entry, key), members, _listed(entry))


def truth_below(root: str, members: list[Member], listed: Collection[str]) -> list[str]:
    """Return the files of members that are there in a folder; `listed` are the ids of the whole set."""
    ids = [m.id for m in members if m.status == "ok"]
    names = [f"{folder}/{item_id}.json" for item_id in ids for folder in TRUTH_FOLDERS]
    names += dense_files.truth_names(root, listed, ids)
    return _inside(root, [*names, "symmetry.json"])


def _listed(entry: Mapping[str, Any]) -> Mapping[str, Member]:
    """Return the members, by id, of a folder set or of a list of objects."""
    if entry["kind"] == "objaverse":
        return _objects(expanded(entry["list"]), entry["chunks"])
    return _folder(root_of(entry), entry["items"])


def _inside(root: str, names: list[str]) -> list[str]:
    return usable(root, [os.path.join(root, name) for name in names])


def usable(root: str, paths: list[str]) -> list[str]:
    """Return the existing regular files inside the root, without braces: nothing else may be an input."""
    found = [p for p in paths if not set(p.removeprefix(root)) & set(FORBIDDEN_IN_NAMES)]
    return [path for path in found if os.path.isfile(path) and is_below(root, path)]


def is_below(root: str, path: str) -> bool:
    """Tell whether a path, symbolic links followed, lies in `root`."""
    real = os.path.realpath(root)
    return os.path.commonpath([real, os.path.realpath(path)]) == real


@lru_cache(maxsize=32)
def _procedural(category: str, family: int, count: int) -> dict[str, Member]:
    ids = (procedural_id(category, family, index) for index in range(count))
    return {i: Member(i, category) for i in sorted(ids)}


@lru_cache(maxsize=32)
def _objects(path: str, chunks: int) -> Mapping[str, Member]:
    return read_list(path, chunks, _object_rows)


def _object_rows(path: str) -> Iterator[Member]:
    # read twice: of a million rows the ids alone are not small
    counts = Counter(row["id"] for row in read_rows(path))
    return (_object(row, counts[row["id"]]) for row in read_rows(path))


def _object(row: dict[str, str], count: int) -> Member:
    if reason := wrong_id(row["id"]):
        status = "bad_name"
    elif count > 1:
        status, reason = "duplicate", f"id {row['id']!r} is given {count} times"
    else:
        status, reason = examine(row)
    return Member(row["id"] or "(empty id)", row.get("category", ""), status, reason, row)


@lru_cache(maxsize=32)
def _folder(root: str, items: str) -> dict[str, Member]:
    path = Path(root) / items
    if set(str(path)) & set(FORBIDDEN_IN_NAMES):
        raise UserError(f"{path}: the path of an item list may not hold braces; use a link")
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle, strict=True))
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such item list; set `root` to the folder that holds it"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as CSV in UTF-8 ({error})") from None
    for column in REQUIRED_COLUMNS:
        if rows and column not in rows[0]:
            raise UserError(f"{path}: no column {column!r}; columns are {', '.join(rows[0])}")
    counts = Counter(row["id"] for row in rows)
    members = (_folder_member(root, row, counts[row["id"]]) for row in rows)
    return {m.id: m for m in sorted(members, key=lambda m: m.id)}


def _folder_member(root: str, row: dict[str, str], count: int) -> Member:
    columns = {k: v or "" for k, v in row.items() if k is not None}
    item_id = columns["id"] or "(empty id)"
    category = columns.get("category", "")
    status, reason, file = _examine(root, columns, count)
    return Member(item_id, category, status, reason, columns, file)


def _examine(root: str, columns: dict[str, str], count: int) -> tuple[str, str, str | None]:
    item_id, name = columns["id"], columns["file"]
    if reason := wrong_id(item_id):
        return "bad_name", reason, None
    if count > 1:
        return "duplicate", f"id {item_id!r} is given {count} times", None
    if not name or any(c in name for c in FORBIDDEN_IN_NAMES):
        return (
            "bad_name",
            f"file name {name!r} is empty or holds braces or control characters",
            None,
        )
    path = os.path.join(root, name)
    if not is_below(root, path):
        return "outside", f"file {name!r} leaves the folder of the data set", None
    if not os.path.isfile(path):
        return "missing", f"file {name!r} is not there", None
    return "ok", "", path


def wrong_id(item_id: str) -> str:
    """Return what is wrong with an id, nothing where it can be used."""
    if not item_id or any(c in item_id for c in FORBIDDEN_IN_NAMES + "/\\"):
        return f"id {item_id!r} is empty or holds one of / \\ {{ }}"
    if FORBIDDEN_IN_IDS in item_id:
        return f"id {item_id!r} holds {FORBIDDEN_IN_IDS!r}, which joins the ids of a pair"
    if (length := len(item_id.encode())) > MAX_ID_BYTES:
        return f"id {item_id[:20]!r}... is {length} bytes long, more than {MAX_ID_BYTES}"
    return ""
