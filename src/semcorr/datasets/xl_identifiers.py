"""Identifiers of Objaverse-XL: which source, which file, where it lies in a mirror and on the network.

The annotation files name every object by the address of its page (`fileIdentifier`):

https://github.com/{org}/{repo}/blob/{commit}/{path}
https://www.thingiverse.com/thing:{thing}/files?fileId={file}
https://3d-api.si.edu/{path}.glb
https://sketchfab.com/3d-models/{uid}                        an object of Objaverse 1.0

Paths in a mirror are those under which the `objaverse` package keeps files, so that its folder is one.
Standard library only: read while the workflow is planned.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from semcorr.datasets.object_list import UID

SOURCES = ("github", "sketchfab", "smithsonian", "thingiverse")
_PATTERNS = {
    "github": re.compile(
        r"https://github\.com/(?P<org>[\w.-]+)/(?P<repo>[\w.-]+)/blob/(?P<commit>[0-9a-f]{40})"
        r"/(?P<path>[^\0-\x1f]+)",
        re.ASCII,
    ),
    "thingiverse": re.compile(
        r"https://(?:www\.)?thingiverse\.com/thing:(?P<thing>\d+)/\w*\?fileId=(?P<file>\d+)",
        re.ASCII,
    ),
    "smithsonian": re.compile(r"https://3d-api\.si\.edu/(?P<path>[^?#\0-\x20]+\.glb)"),
    "sketchfab": re.compile(rf"https://sketchfab\.com/3d-models/(?P<uid>{UID})", re.ASCII),
}


@dataclass(frozen=True)
class Identifier:
    """A taken apart `fileIdentifier`.

    Attributes:
        text: as it was given.
        source: one of SOURCES.
        parts: what its pattern names.
    """

    text: str
    source: str
    parts: Mapping[str, str]

    @property
    def id(self) -> str:
        """The id of an item: that of Objaverse 1.0, else `id_of`."""
        if self.source == "sketchfab":
            return self.parts["uid"]
        return id_of(self.text)

    @property
    def path(self) -> str:
        """Path in a mirror; empty for sketchfab, whose folder only Objaverse's own files tell."""
        if self.source == "github":
            return "github/repos/{org}/{repo}/{path}".format(**self.parts)
        if self.source == "thingiverse":
            return "thingiverse/thing-{thing}-file-{file}.stl".format(**self.parts)
        return f"smithsonian/objects/{self.id}.glb" if self.source == "smithsonian" else ""

    def address(self, host: str) -> str:
        """Return the address of the file itself, of sources other than sketchfab.

        Args:
            host: address of the source without a slash at its end.
        """
        if self.source == "github":
            return host + quote("/{org}/{repo}/{commit}/{path}".format(**self.parts))
        if self.source == "thingiverse":
            return f"{host}/download:{self.parts['file']}"
        # escaped already where it needs to be
        return f"{host}/{quote(self.parts['path'], safe='/:%')}"


def id_of(text: str) -> str:
    """Return the UUID by which the `objaverse` package names the file of an identifier."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, text))


def parse(text: str) -> Identifier | None:
    """Return an identifier taken apart, None where it is of no known source or leaves its folder."""
    for source, pattern in _PATTERNS.items():
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            names = [n for value in parts.values() for n in value.split("/")]
            usable = not {"", ".", ".."} & set(names) and "\\" not in text
            return Identifier(text, source, parts) if usable else None
    return None
