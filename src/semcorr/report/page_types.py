"""What the page of a pair is told: shapes, texts, and the arrays that it embeds."""

import base64
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8


@dataclass(frozen=True)
class Keypoints:
    """Named points on a shape.

    Attributes:
        names: k names; equal names of the two shapes get equal colours.
        points: (k, 3) positions in the frame of the shape's vertices; NaN rows are left out.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "k 3"]


@dataclass(frozen=True)
class PageShape:
    """One of the two shapes.

    Attributes:
        name: what the page calls it, usually the file name.
        vertices: (v, 3), any scale and position, Z up and front -Y (the world frame's axes).
        faces: (f, 3) vertex indices.
        face_labels: (f,) part of each face, -1 = none, an index into the page's part names.
        vertex_colours: (v, 3) uint8 sRGB of the file's own appearance, or None.
        keypoints: points to show, or None.
    """

    name: str
    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    face_labels: Int[np.ndarray, " f"] | None = None
    vertex_colours: UInt8[np.ndarray, "v 3"] | None = None
    keypoints: Keypoints | None = None


@dataclass(frozen=True)
class PageMeta:
    """Texts of the page.

    Attributes:
        title: heading.
        method: name of the method that made the map.
        part_names: names of the labels 0, 1, ... in both shapes' `face_labels`.
        parts_note: where the labels come from (one sentence below the shapes).
        facts: further (name, value) pairs of the heading.
        warnings: sentences that the reader must see.
    """

    title: str
    method: str
    part_names: tuple[str, ...] = ()
    parts_note: str = "Parts"
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class EmbeddedArrays:
    """Collects arrays as base64 elements and hands out the references that the viewer resolves."""

    _TYPES = {"f4": "<f4", "u4": "<u4", "i4": "<i4", "u1": "u1"}

    def __init__(self):
        self.elements: list[str] = []

    def add(self, array: np.ndarray, kind: str) -> dict[str, str]:
        """Embed an array (kind: f4, u4, i4 or u1) and return the reference to it."""
        data = np.ascontiguousarray(array, dtype=self._TYPES[kind]).tobytes()
        name = f"array-{len(self.elements)}"
        text = base64.b64encode(data).decode("ascii")
        self.elements.append(f'<script type="text/plain" id="{name}">{text}</script>')
        return {"array": name, "type": kind}
