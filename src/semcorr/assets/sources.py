"""Where a file may come from: the mirror's three places first, then its own address."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from semcorr.assets.table import NETWORK_SCHEMES, AssetRow, repository_root

MIRROR_VARIABLE = "SEMCORR_MIRROR"
DEFAULT_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Source:
    """One place to look at.

    Attributes:
        location: a `Path` on this machine or an http(s) address.
        name: how the place is recorded; holds no folder or host of this machine, so that the same
            asset from the same mirror gives the same record everywhere.
        mirror: whether it is the mirror's (absence there is normal).
        hub: whether the answers are the hub's own, which tell the file's id and commit.
    """

    location: Path | str
    name: str
    mirror: bool = False
    hub: bool = False

    @property
    def remote(self) -> bool:
        """Whether reading it needs the network."""
        return isinstance(self.location, str)


def mirror_from_environment() -> str | None:
    """Return the value of `SEMCORR_MIRROR`, or None."""
    return os.environ.get(MIRROR_VARIABLE) or None


def hub_address(row: AssetRow) -> str:
    """Return the download address of a hub row (`HF_ENDPOINT` names another hub)."""
    endpoint = (os.environ.get("HF_ENDPOINT") or DEFAULT_HUB).rstrip("/")
    return f"{endpoint}/{row.repo}/resolve/{quote(row.revision, safe='')}/{quote(row.file)}"


def address_of(row: AssetRow) -> str:
    """Return the address to tell a person: an http(s) address, or empty where none is known."""
    return hub_address(row) if row.repo else row.url


def mirror_sources(mirror: str | None, row: AssetRow) -> list[Source]:
    """Return the places `{key}/{file}`, `{repo}/{file}`, `{file}` of the mirror, in this order."""
    if not mirror:
        return []
    folders = [row.key, row.repo, ""] if row.repo else [row.key, ""]
    places = ["/".join(filter(None, (folder, row.file))) for folder in folders]
    if mirror.startswith(NETWORK_SCHEMES):
        base = mirror.rstrip("/")
        return [Source(f"{base}/{quote(place)}", f"mirror:{place}", True) for place in places]
    base = _local_path(mirror) if mirror.startswith("file:") else Path(mirror).expanduser()
    return [Source(base / place, f"mirror:{place}", True) for place in places]


def own_sources(row: AssetRow) -> list[Source]:
    """Return the row's own address as a list: empty for a mirror-only row."""
    if row.repo:
        return [Source(hub_address(row), f"hub:{row.repo}/{row.file}", hub=True)]
    if row.url.startswith("repo:"):
        return [Source(repository_root() / row.url.removeprefix("repo:"), row.url)]
    if row.url.startswith("file:"):
        return [Source(_local_path(row.url), row.url)]
    return [Source(row.url, row.url)] if row.url else []


def sources(mirror: str | None, row: AssetRow) -> Sequence[Source]:
    """Return every place to look at, in order."""
    return [*mirror_sources(mirror, row), *own_sources(row)]


def _local_path(url: str) -> Path:
    """Turn `file:...` into a path; a relative one is relative to the repository."""
    path = url2pathname(urlsplit(url).path)
    return repository_root() / path
