"""What a parser gets: the bytes of one file, its limits, the only way to the files beside it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from semcorr.errors import ItemError

# Without a limit of the caller: about 3 GB of positions and indices, whatever a header claims.
HARD_LIMIT = 50_000_000


def is_inside(path: Path, root: Path) -> bool:
    """Tell whether a path, symbolic links followed, lies in `root`; it need not exist."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # a loop of symbolic links
        return False


@dataclass(frozen=True)
class Source:
    """One mesh file in memory.

    Attributes:
        path: the file; its name is part of every message.
        data: its bytes.
        root: folder which the files it refers to (buffers, materials, pictures) must not leave.
        max_vertices: larger meshes are refused, where the format tells before anything is allocated.
    """

    path: Path
    data: bytes
    root: Path
    max_vertices: int = HARD_LIMIT

    def error(self, reason: str, status: str = "failed") -> ItemError:
        """Return the error (to be raised) that names this file and the reason."""
        return ItemError(f"{self.path.name}: {reason}", status)

    def check_vertices(self, count: int) -> None:
        """Refuse a mesh with more vertices than allowed."""
        if count > self.max_vertices:
            raise self.error(
                f"has {count} vertices, more than the {self.max_vertices} allowed: decimate it"
                " (a data set may raise its max_vertices)"
            )

    def check_faces(self, count: int) -> None:
        """Refuse a number of faces that no mesh of the allowed size has."""
        if count > 2 * HARD_LIMIT:
            raise self.error(f"has {count} faces, more than the {2 * HARD_LIMIT} that can be read")

    def no_faces(self, points: int) -> ItemError:
        """Return the error for a file without any face."""
        if points:
            return self.error(f"is a point cloud: {points} points and no faces")
        return self.error("has no faces")

    def beside(self, reference: str) -> Path:
        """Return the path of a file that this file refers to; it need not exist.

        Raises:
            ItemError: (status `outside`) the path, symbolic links followed, leaves `root`.
        """
        if not reference or "\0" in reference:
            raise self.error(f"refers to a file with an unusable name {reference!r}")
        if max(len(part.encode(errors="replace")) for part in Path(reference).parts) > 255:
            raise self.error(f"refers to a file with an unusable name {reference[:40]!r}...")
        found = self.path.parent / reference
        if "\\" in reference and not found.exists():
            found = self.path.parent / reference.replace("\\", "/")
        if not is_inside(found, self.root):
            raise self.error(f"refers to {reference!r}, outside of its folder", "outside")
        return found

    def has(self, reference: str) -> bool:
        """Tell whether a file that this file refers to is there; raises as `beside` does."""
        return self.beside(reference).is_file()

    def checked_faces(self, faces: Int[np.ndarray, "f 3"], vertices: int) -> Int[np.ndarray, "f 3"]:
        """Return faces as int32 after checking the indices in their full width."""
        faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
        if len(faces) and (faces.min() < 0 or faces.max() >= vertices):
            wrong = faces.min() if faces.min() < 0 else faces.max()
            raise self.error(
                f"face index {wrong} is out of range: the file has {vertices} vertices"
            )
        return faces.astype(np.int32)
