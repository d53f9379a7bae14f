"""One file of Objaverse or Objaverse-XL: where it may lie, how it is fetched, what it must be.

Permanent (`ItemError`): the server does not have it (`missing`), it has other content than the list
says (`modified`), the file is too large or no whole GLB (`failed`). Everything else may pass: time-outs,
5xx, and bytes that differ from one try to the next, which are the line's fault and not the server's.
"""

import logging
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from semcorr.assets.download import (
    AbsentError,
    Patience,
    SourceError,
    TooLargeError,
    TransientError,
    Wanted,
    WrongContentError,
    download,
)
from semcorr.assets.part import PartFile, Received
from semcorr.assets.sources import Source, address_of, sources
from semcorr.assets.table import AssetRow
from semcorr.assets.verify import hash_of, hub_label
from semcorr.errors import ItemError, UserError

log = logging.getLogger(__name__)

KEY = "objaverse"
# repository and revision in an address of the hub: its answers tell what a file must be
_HUB = re.compile(r"https://huggingface\.co/(datasets/[\w.-]+/[\w.-]+)/resolve/([^/]+)/?")
TRIES = 2  # equal wrong bytes twice are what the server has
GLB_HEADER = struct.Struct("<4sII")


class OfflineError(UserError):
    """The file is not on this machine, and the network is forbidden."""


@dataclass(frozen=True)
class Place:
    """Where objects are looked for.

    Attributes:
        mirror: folder or address that is looked at first (`SEMCORR_MIRROR`).
        offline: forbid the network.
        max_bytes: larger files are refused.
        patience: time-outs and retries of one file.
    """

    mirror: str | None = None
    offline: bool = False
    max_bytes: int = 256_000_000
    patience: Patience = field(default_factory=lambda: Patience(attempts=4))


@dataclass(frozen=True)
class Found:
    """A complete file on this machine: its hash, and how far it was verified."""

    path: Path
    sha256: str
    verified: str


@dataclass(frozen=True)
class Fault:
    """Why bytes are not what was asked for; without a status the fault may be the line's."""

    reason: str
    status: str = ""


def row_of(url: str, file: str, max_bytes: int | None = None) -> AssetRow:
    """Return one file of Objaverse as a row of assets, so that mirrors work as they do for weights."""
    base = {"key": KEY, "kind": "dataset", "file": file, "max_bytes": max_bytes}
    if hub := _HUB.fullmatch(url):
        return AssetRow(**base, repo=hub[1], revision=hub[2])
    return AssetRow(**base, url=f"{url.rstrip('/')}/{quote(file)}")


def asset_row(columns: Mapping[str, str], entry: Mapping[str, Any]) -> AssetRow:
    """Return path in a mirror and address of the object of a row.

    Args:
        columns: of the list.
        entry: of the data set.
    """
    return row_of(entry["url"], columns["path"])


def bring(row: AssetRow, sha256: str, partial: Path, place: Place) -> Found:
    """Find one object in the mirror or fetch it.

    Args:
        row: its path in a mirror and its address.
        sha256: what the list says, or empty.
        partial: where a download goes, with a note beside it; kept for the next try if this one fails.
        place: where to look.

    Raises:
        ItemError: permanent, see above; the reason holds no host, so that it is the same everywhere.
        TransientError: what a later try may mend.
        OfflineError: not in the mirror, and offline.
        UserError: refused without being absent (401, 403, redirect to http): never one object's fault.
    """
    file = row.file
    for source in sources(place.mirror, row):
        if not source.mirror:
            break
        try:
            if found := _from_mirror(source, sha256, partial, place):
                return found
        except (SourceError, TransientError, ItemError) as error:
            log.warning("%s: %s; trying the next place", source.name, error)
    if place.offline:
        raise OfflineError(
            f"{file} is not in the mirror and offline is set: download {address_of(row)}, put it at "
            f"<folder>/{row.key}/{file} and set SEMCORR_MIRROR=<folder>"
        )
    try:
        return _fetch(source, sha256, partial, place)
    except AbsentError:
        raise ItemError(f"{file}: is not on the server", "missing") from None
    except TooLargeError as error:
        raise ItemError(f"{file}: {error} (max_bytes)") from None
    except WrongContentError as error:
        raise ItemError(f"{file}: {error}, the list says {sha256}", "modified") from None
    except SourceError as error:
        raise UserError(f"{address_of(row)}: {error}; nothing was recorded as missing") from None


def _from_mirror(source: Source, sha256: str, partial: Path, place: Place) -> Found | None:
    """Return the mirror's file where it is what was asked for; a local one stays where it is."""
    if source.remote:
        return None if place.offline else _fetch(source, sha256, partial, place)
    path = Path(source.location)
    if not path.is_file():
        return None
    if path.stat().st_size > place.max_bytes:
        raise TooLargeError(f"{path.stat().st_size} bytes, more than the cap of {place.max_bytes}")
    found = hash_of(path)
    if fault := fault_of(path, source.name, found, sha256):
        raise SourceError(fault.reason)
    return Found(path, found, "sha256" if sha256 else "first-use")


def _fetch(source: Source, sha256: str, partial: Path, place: Place) -> Found:
    """Download from one place; wrong bytes are fetched once more, and judged if they come again."""
    part, seen = PartFile(partial), None
    wanted = Wanted(str(source.location), sha256, None, place.max_bytes, source.name)
    for _ in range(TRIES):
        received = download(wanted, part, place.patience, progress=False)
        verified, fault = _judge(source, received, part.path, sha256)
        if fault is None:
            return Found(part.path, received.sha256, verified)
        part.discard()
        if fault.status and seen == received.sha256:
            raise ItemError(f"{Path(source.name).name}: {fault.reason}", fault.status)
        log.warning("%s: %s; fetching it once more", source.name, fault.reason)
        seen = received.sha256
    raise TransientError(f"{source.name}: {fault.reason}")


def _judge(source: Source, received: Received, path: Path, sha256: str) -> tuple[str, Fault | None]:
    """Return how far a download is verified, and what is wrong with it."""
    label = "first-use"
    if source.hub:
        try:
            label = hub_label(received, path)
        except WrongContentError as error:
            return "", Fault(str(error))
    fault = fault_of(path, source.name, received.sha256, sha256)
    return ("sha256" if sha256 else label), fault


def fault_of(path: Path, name: str, found: str, sha256: str) -> Fault | None:
    """Return what is wrong with a file: another hash than the list's, no GLB, less than it announces.

    Args:
        path: where its bytes are.
        name: of the file, whose ending says what it must be.
        found: its hash.
        sha256: the hash of the list, or empty.
    """
    if sha256:
        wrong = found != sha256
        return Fault(f"sha256 is {found}, the list says {sha256}", "modified") if wrong else None
    if not name.lower().endswith(".glb"):
        return None  # other formats tell neither what they are nor how long: their reader judges
    with open(path, "rb") as handle:
        head = handle.read(GLB_HEADER.size)
    if len(head) < GLB_HEADER.size or head[:4] != b"glTF":
        return Fault("is not a GLB file", "failed")
    announced, there = GLB_HEADER.unpack(head)[2], path.stat().st_size
    if announced > there:
        return Fault(f"is truncated: {there} of {announced} bytes are there", "failed")
    return None
