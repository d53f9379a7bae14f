"""Files of dense ground truth of a folder set: which shapes share vertices, which pairs have a map.

Read while planning too, so that nothing heavy is imported before a map itself is read.
"""

import json
import os
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from semcorr.errors import ItemError

if TYPE_CHECKING:
    import numpy as np

SHARED = "matches.json"
FOLDER = "matches"
_BETWEEN = "__"


def read_groups(path: str | Path) -> dict[str, str]:
    """Read matches.json: `shared_topology` lists groups of ids with the same vertices in the same order.

    Returns:
        id -> name of its group (the first id of the group); empty without the file.

    Raises:
        ItemError: malformed, or an id that is in two groups.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ItemError(f"{SHARED}: is not JSON: {error}") from error
    groups = content.get("shared_topology", []) if isinstance(content, dict) else None
    if not isinstance(groups, list) or not all(map(_is_group, groups)):
        raise ItemError(f"{SHARED}: 'shared_topology' is not a list of lists of ids")
    found: dict[str, str] = {}
    for group in groups:
        for item_id in group:
            if item_id in found:
                raise ItemError(f"{SHARED}: {item_id!r} is listed twice")
            found[item_id] = group[0]
    return found


def _is_group(group: object) -> bool:
    return isinstance(group, list) and bool(group) and all(isinstance(i, str) for i in group)


def map_files(root: str | Path, ids: Collection[str]) -> dict[tuple[str, str], str]:
    """Return {(source, target): matches/{source}__{target}.npy} of the maps that are there.

    Names are cut wherever two ids result; both may hold the separator themselves.

    Args:
        root: folder of the set.
        ids: of all its items; only asked whether it holds one, so that a long list need not be read.
    """
    found = {}
    for name in _names(os.path.abspath(os.path.join(root, FOLDER))):
        parts = name.removesuffix(".npy").split(_BETWEEN)
        for cut in range(1, len(parts)):
            source, target = _BETWEEN.join(parts[:cut]), _BETWEEN.join(parts[cut:])
            if source in ids and target in ids:
                found[source, target] = f"{FOLDER}/{name}"
    return found


@lru_cache(maxsize=32)
def _names(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(n for n in os.listdir(folder) if n.endswith(".npy")))
    except (FileNotFoundError, NotADirectoryError):
        return ()


def read_map(path: str | Path, vertices: int) -> "np.ndarray":
    """Read the vertex of the source for every vertex of the target.

    Args:
        path: .npy file of integers.
        vertices: of the target.

    Returns:
        (v,) int32, -1 = none.

    Raises:
        ItemError: no array, not one integer per vertex, or negative numbers other than -1.
    """
    import numpy as np

    name = f"{FOLDER}/{Path(path).name}"
    try:
        # mapped: a wrong size shows before anything is read
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ItemError(f"{name}: is not a NumPy array: {error}") from error
    if not isinstance(values, np.ndarray):
        raise ItemError(f"{name}: is an archive, not an array")
    if values.shape != (vertices,) or values.dtype.kind not in "iu":
        raise ItemError(
            f"{name}: expected {vertices} integers, one per vertex of the target, got"
            f" {values.dtype} {values.shape}"
        )
    if len(values) and not -1 <= values.min() <= values.max() < np.iinfo(np.int32).max:
        raise ItemError(f"{name}: vertices {values.min()}..{values.max()}; -1 is none")
    return np.asarray(values, np.int32)


def truth_names(root: str | Path, ids: Collection[str], targets: Collection[str]) -> list[str]:
    """Return the files, below the root, that the dense truth of these targets rests on."""
    wanted = set(targets)
    maps = (name for (_, target), name in map_files(root, ids).items() if target in wanted)
    return [SHARED, *sorted(maps)]


def known_pairs(
    groups: Mapping[str, str],
    maps: Collection[tuple[str, str]],
    sources: Collection[str],
    targets: Collection[str],
) -> list[tuple[str, str]]:
    """Return all (source, target), sorted, that share vertices or have a map."""
    members: dict[str, list[str]] = {}
    for source in set(sources) & set(groups):
        members.setdefault(groups[source], []).append(source)
    asked = set(targets)
    found = {(s, t) for t in asked & set(groups) for s in members.get(groups[t], ()) if s != t}
    allowed = set(sources)
    return sorted(found | {(s, t) for s, t in maps if s in allowed and t in asked and s != t})
