"""The part file of a download, and the note beside it that says where its bytes came from."""

import errno
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

SPACE_MARGIN = 32 << 20  # bytes that a download leaves free on the disk


@dataclass
class Provenance:
    """What the answer said about the bytes in the part file (kept beside it)."""

    url: str
    etag: str = ""
    last_modified: str = ""
    total: int | None = None
    linked_etag: str = ""
    commit: str = ""
    origin_etag: str = ""

    @property
    def validator(self) -> str:
        """Value for `If-Range`: a strong ETag, else the date, else empty."""
        strong = self.etag and not self.etag.startswith("W/")
        return self.etag if strong else self.last_modified


@dataclass(frozen=True)
class Received:
    """A complete part file: its hash, its size, and what the server said of it."""

    sha256: str
    bytes: int
    provenance: Provenance


@dataclass
class PartFile:
    """`{file}.part` and its provenance file."""

    path: Path
    hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def note(self) -> Path:
        """Path of the provenance file."""
        return self.path.with_name(self.path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_note(self) -> Provenance | None:
        """Return the provenance, or None where it is missing or damaged."""
        try:
            return Provenance(**json.loads(self.note.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_note(self, provenance: Provenance) -> None:
        """Write the provenance atomically: it must never describe other bytes."""
        temporary = self.note.with_name(self.note.name + ".tmp")
        temporary.write_text(json.dumps(asdict(provenance)))
        temporary.replace(self.note)

    def discard(self) -> None:
        """Forget what arrived; the note goes last, so that bytes never lie there without it."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)
        self.hasher = hashlib.sha256()

    def rehash(self) -> None:
        """Hash the bytes on disk, so that streaming continues where they end."""
        self.hasher = hashlib.sha256()
        if self.path.exists():
            with self.path.open("rb") as handle:
                while block := handle.read(1 << 20):
                    self.hasher.update(block)


def ensure_space(folder: Path, needed: int) -> None:
    """Raise `OSError` (ENOSPC) if `needed` bytes and a margin do not fit on `folder`'s disk."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPACE_MARGIN:
        text = f"{needed / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free"
        raise OSError(errno.ENOSPC, f"no space left on device ({text})", str(folder))
