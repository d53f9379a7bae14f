"""Annotation files of Objaverse: categories, paths, licences; read whole, checked, never trusted.

Files below the data set's address: `lvis-annotations.json.gz` (category -> ids), `object-paths.json.gz`
(id -> `glbs/{folder}/{id}.glb`), `metadata/{folder}.json.gz` (id -> what Sketchfab knows of it).
Source: Deitke et al., "Objaverse: A Universe of Annotated 3D Objects", and its data set on the hub.
"""

import gzip
import json
import logging
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semcorr.assets.download import Patience
from semcorr.assets.fetch import fetch
from semcorr.datasets.objaverse_source import KEY, row_of
from semcorr.datasets.object_list import UID, is_uid
from semcorr.errors import UserError

log = logging.getLogger(__name__)

LVIS, PATHS = "lvis-annotations.json.gz", "object-paths.json.gz"
MAX_BYTES = 200_000_000  # of one file as it is fetched; the largest known has 20 MB
MAX_UNPACKED = 2_000_000_000
_PATH = re.compile(rf"glbs/(\d{{3}}-\d{{3}})/({UID})\.glb", re.ASCII)
MAX_TEXT = 200  # characters of a title or a name


@dataclass(frozen=True)
class Annotations:
    """Where annotation files come from and where they are kept.

    Attributes:
        url: address below which they lie.
        folder: where fetched ones are kept.
        mirror: folder or address that is looked at first.
        offline: forbid the network.
        patience: time-outs and retries.
    """

    url: str
    folder: Path
    mirror: str | None = None
    offline: bool = False
    patience: Patience | None = None

    def categories(self) -> dict[str, list[str]]:
        """Return {LVIS category: ids}.

        Raises:
            UserError: the file cannot be had or is not what it should be (so do the others).
        """
        found = self._read(LVIS)
        whole = all(isinstance(v, list) and all(map(is_uid, v)) for v in found.values())
        if not whole:
            raise self._wrong(LVIS, "does not map categories to lists of ids")
        return found

    def paths(self, ids: Iterable[str]) -> dict[str, str]:
        """Return {id: path} of those ids that the data set has under a usable path."""
        found = self._read(PATHS)
        known = {i: found[i] for i in ids if i in found}
        unusable = [i for i, path in known.items() if not _is_usable(i, path)]
        if unusable:
            log.warning("%s: %d unusable paths left out", PATHS, len(unusable))
        return {i: path for i, path in known.items() if _is_usable(i, path)}

    def metadata(self, folder: str) -> dict[str, Any]:
        """Return {id: what is known of it} of one folder of objects."""
        return self._read(f"metadata/{folder}.json.gz")

    def _read(self, file: str) -> dict[str, Any]:
        key = f"{KEY}_{file.removesuffix('.json.gz').replace('/', '_').replace('-', '_')}"
        row = replace(row_of(self.url, file, MAX_BYTES), key=key, licence="ODC-By-1.0")
        fetch(
            key,
            [row],
            self.folder,
            mirror=self.mirror,
            offline=self.offline,
            timeouts=self.patience,
        )
        path = self.folder / key / file
        try:
            return read_annotations(path)
        except ValueError as error:
            raise self._wrong(path, str(error)) from error

    def _wrong(self, path: Path | str, reason: str) -> UserError:
        return UserError(f"{path}: {reason}; remove {self.folder} to fetch it again")


def read_annotations(path: Path) -> dict[str, Any]:
    """Read one annotation file.

    Raises:
        ValueError: not gzip, cut short, more than `MAX_UNPACKED` bytes, not JSON, or no object.
    """
    try:
        with gzip.open(path, "rb") as handle:
            data = handle.read(MAX_UNPACKED + 1)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"is not gzip ({error})") from error
    except EOFError as error:
        raise ValueError("is cut short") from error
    if len(data) > MAX_UNPACKED:
        raise ValueError(f"unpacks to more than {MAX_UNPACKED} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"holds a {type(found).__name__}, expected an object")
    return found


def attribution(known: Any) -> dict[str, str]:
    """Return licence, author, title and page of one object; what is absent or of a wrong type is empty.

    Args:
        known: its entry in a metadata file.
    """
    known = known if isinstance(known, Mapping) else {}
    user = known.get("user") if isinstance(known.get("user"), Mapping) else {}
    return {
        "licence": _text(known.get("license")).lower(),
        "author": _text(user.get("displayName")) or _text(user.get("username")),
        "title": _text(known.get("name")),
        "page": _text(known.get("viewerUrl")),
    }


def _is_usable(item_id: str, path: Any) -> bool:
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    return match is not None and match[2] == item_id


def _text(value: Any) -> str:
    """Return one short line: titles hold line breaks, control characters and lone surrogates."""
    if not isinstance(value, str):
        return ""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in value)
    return " ".join(kept.split())[:MAX_TEXT]
