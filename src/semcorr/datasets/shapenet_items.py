"""Items and files of a ShapeNet set while planning: names and lists only, nothing heavy is imported.

{root}/{synset}/{id}/models/model_normalized.obj           meshes; {synset} may come twice
{points}/{synset}_{name}/points/{id}.txt                   labelled points; without _{name} or
                                                           points/ as well
{annotations}/{synset}/{id}.json                           positions listed per part
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from semcorr.datasets.members import (
    FORBIDDEN_IN_NAMES,
    Member,
    expanded,
    is_below,
    usable,
    wrong_id,
)
from semcorr.errors import UserError

MESH = ("models", "model_normalized.obj")
# v2: "up direction is the +Y axis, and the front is the -Z axis"
UP, FRONT = "+y", "-z"
# Ids are folders and files: letters, digits, and what is harmless between them
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

NO_MESHES = (
    "{path}: no such folder. ShapeNetCore v2 is never fetched: ask for access at https://shapenet.org"
    " (account, research use only), unpack it, and set `root` to the folder that holds"
    " {synset}/<id>/models/model_normalized.obj (docs/shapenet.md)"
)
NO_POINTS = (
    "{path}: no such folder. ShapeNet-Part is never fetched: it comes with a ShapeNet account"
    " (https://shapenet.org); set `points` to the folder that holds"
    " {synset}_<name>/points/<id>.txt or {synset}/<id>.txt (docs/shapenet.md)"
)


def read_members(entry: Mapping[str, Any]) -> dict[str, Member]:
    """Return the members of an entry by id, sorted: those of its list, or all folders.

    Raises:
        UserError: no folder of the synset, or a list that cannot be read.
    """
    ids = entry["ids"] and expanded(entry["ids"])
    return _members(_place(entry["root"]), entry["synset"], entry["category"], ids)


def mesh_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return the meshes of usable members, their material libraries and pictures, as far as there."""
    root = _place(entry["root"])
    paths = [path for member in members if member.status == "ok" for path in _beside(member.file)]
    return usable(root, paths)


def truth_files(entry: Mapping[str, Any], members: list[Member]) -> list[str]:
    """Return the files of points and annotations of usable members that are there.

    Raises:
        UserError: a folder that is configured is not there.
    """
    found = []
    for root, path_of in truth_sources(entry):
        found += usable(root, [path_of(m.id) for m in members if m.status == "ok"])
    return found


def truth_sources(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield (root, function id -> path) of annotations, then of points, as far as configured."""
    synset = entry["synset"]
    if entry["annotations"] is not None:
        root = _place(entry["annotations"])
        if not os.path.isdir(root):
            raise UserError(f"{root}: no such folder of annotations; set `annotations`")
        yield root, lambda item_id: os.path.join(root, synset, f"{item_id}.json")
    if entry["points"] is not None:
        home = _place(entry["points"])
        folder = points_folder(home, synset)
        yield home, lambda item_id: os.path.join(folder, f"{item_id}.txt")


@lru_cache(maxsize=32)
def points_folder(root: str, synset: str) -> str:
    """Return the folder of a synset's files of points.

    Raises:
        UserError: there is none; the message says how to get one.
    """
    names = sorted(os.listdir(root)) if os.path.isdir(root) else []
    for name in names:
        if name == synset or name.startswith(f"{synset}_"):
            for folder in (os.path.join(root, name, "points"), os.path.join(root, name)):
                if os.path.isdir(folder):
                    return folder
    where = os.path.join(root, synset) if names else root
    raise UserError(NO_POINTS.format(path=where, synset=synset))


def _place(path: str) -> str:
    found = expanded(path)
    if set(found) & set(FORBIDDEN_IN_NAMES):
        raise UserError(f"{found}: the path of a data set may not hold braces; use a link")
    return found


def _beside(mesh: str) -> Iterator[str]:
    """Yield a mesh, its material library, and the pictures of its model, where v2 puts them."""
    yield mesh
    yield f"{mesh.removesuffix('.obj')}.mtl"
    pictures = os.path.join(os.path.dirname(os.path.dirname(mesh)), "images")
    if os.path.isdir(pictures):
        yield from (os.path.join(pictures, name) for name in sorted(os.listdir(pictures)))


@lru_cache(maxsize=32)
def _members(root: str, synset: str, category: str, ids: str | None) -> dict[str, Member]:
    folder = _synset_folder(root, synset)
    if ids is None:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    else:
        names = _listed(ids, synset)
    counts = Counter(names)
    category = category or synset
    return {name: _member(root, folder, name, category, counts[name]) for name in sorted(counts)}


def _synset_folder(root: str, synset: str) -> str:
    # some copies have the folder twice, one in the other
    for names in ((synset, synset), (synset,)):
        folder = os.path.join(root, *names)
        if os.path.isdir(folder):
            return folder
    raise UserError(NO_MESHES.format(path=os.path.join(root, synset), synset=synset))


def _member(root: str, folder: str, name: str, category: str, count: int) -> Member:
    file = os.path.join(folder, name, *MESH)
    status, reason = _examine(root, file, name, count)
    columns = {"id": name, "category": category, "up": UP, "front": FRONT}
    columns["file"] = os.path.relpath(file, root) if status == "ok" else ""
    return Member(name, category, status, reason, columns, file if status == "ok" else None)


def _examine(root: str, file: str, name: str, count: int) -> tuple[str, str]:
    if reason := wrong_id(name):
        return "bad_name", reason
    if not ID.fullmatch(name):
        return "bad_name", f"id {name!r} is no name of a ShapeNet model"
    if count > 1:
        return "duplicate", f"id {name!r} is given {count} times"
    if not is_below(root, file):
        return "outside", f"the mesh of {name!r} leaves the folder of the data set"
    if not os.path.isfile(file):
        return "missing", f"{name}/{'/'.join(MESH)} is not there"
    return "ok", ""


def _listed(path: str, synset: str) -> list[str]:
    """Return the ids of a list: CSV with a header that has `modelId` or `id`, else the first column."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = [row for row in csv.reader(handle, strict=True) if any(c.strip() for c in row)]
    except FileNotFoundError:
        raise UserError(f"{path}: no such list of ids; correct `ids` or leave it out") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as a list of ids in UTF-8 ({error})") from None
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((header.index(c) for c in ("modelid", "id") if c in header), None)
    if column is None:
        return [row[0].strip() for row in rows]
    rows = [row + [""] * (len(header) - len(row)) for row in rows[1:]]
    if "synsetid" in header:  # the official list of all categories
        of_synset = header.index("synsetid")
        rows = [row for row in rows if row[of_synset].strip().zfill(8) == synset]
    return [row[column].strip() for row in rows]
