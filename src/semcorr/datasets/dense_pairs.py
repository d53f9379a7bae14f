"""Which pairs of a data set have a known dense correspondence, for planning: no shape is read or made."""

import os
from collections.abc import Collection, Mapping
from typing import Any

from semcorr.datasets import dense_files
from semcorr.datasets.members import base_entry, read_members, root_of, usable
from semcorr.errors import ItemError, UserError

# Kinds whose folder may hold dense maps, and the key that names the folder
FOLDERS = {"folder": "root", "objaverse": "truth"}


def known_pairs(
    datasets: Mapping[str, Mapping[str, Any]],
    name: str,
    sources: Collection[str],
    targets: Collection[str],
) -> list[tuple[str, str]]:
    """Return all (source, target), sorted, of a data set whose dense correspondence is known.

    Args:
        datasets: the `datasets` section of the normalised configuration.
        name: entry; a turned set has the pairs of the set it is made from.
        sources, targets: ids to choose from.

    Raises:
        UserError: the file that says so is malformed.
    """
    entry = base_entry(datasets, name)
    if entry["kind"] == "procedural":
        # here, because the grammars are more than planning imports otherwise
        from semcorr.datasets.procedural import vertex_group

        groups = {i: vertex_group(i) or i for i in {*sources, *targets}}
        return dense_files.known_pairs(groups, (), sources, targets)
    key = FOLDERS.get(entry["kind"], "")
    if not entry.get(key):
        return []
    root = root_of(entry, key)
    groups: dict[str, str] = {}
    try:
        for path in usable(root, [os.path.join(root, dense_files.SHARED)]):
            groups = dense_files.read_groups(path)
    except ItemError as error:
        raise UserError(f"{root}: {error.reason}") from None
    maps = dense_files.map_files(root, read_members(datasets, name))
    return dense_files.known_pairs(groups, maps, sources, targets)
