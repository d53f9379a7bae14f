"""The arrays of a mesh in a store, and the sites on which features and maps live."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Material, Mesh
from semcorr.geometry.sampling import degenerate_faces, positions_at, sample_surface
from semcorr.seeds import seed_of
from semcorr.store.items import Arrays

SAMPLES = 4096
RAGGED = frozenset(
    "vertices faces polygon_of_face vertex_colors corner_uvs face_materials material_colors"
    " texture_sizes texture_bytes".split()
)


def to_arrays(
    mesh: Mesh, file_from_world: Float[np.ndarray, "4 4"], seed: int, item_id: str
) -> Arrays:
    """Return the arrays of a mesh in the world frame, with its area-uniform surface samples.

    Raises:
        ItemError: no face has an area, also once the vertices are in single precision: whoever reads
            the arrays finds that mesh.
    """
    vertices = mesh.vertices.astype(np.float32)
    if degenerate_faces(Mesh(vertices, mesh.faces)).all():
        raise ItemError(
            f"has no area: all {len(mesh.faces)} faces are degenerate in single precision"
        )
    face, barycentric = sample_surface(mesh, SAMPLES, seed_of(seed, "samples", item_id))
    textures = [m.texture for m in mesh.materials]
    return {
        "vertices": vertices,
        "faces": mesh.faces,
        "polygon_of_face": np.asarray(mesh.polygon_of_face, np.int32),
        "vertex_colors": _or_empty(mesh.vertex_colors, (0, 4), np.uint8),
        "corner_uvs": _or_empty(mesh.corner_uvs, (0, 3, 2), np.float32),
        "face_materials": np.asarray(mesh.face_materials, np.int32),
        "material_colors": np.array([m.base_color for m in mesh.materials], np.float32),
        "texture_sizes": np.array(
            [(0, 0) if t is None else t.shape[:2] for t in textures], np.int32
        ),
        "texture_bytes": np.concatenate(
            [np.zeros(0, np.uint8), *(t.reshape(-1) for t in textures if t is not None)]
        ),
        "file_from_world": np.asarray(file_from_world, np.float64),
        "sample_face": face.astype(np.int32),
        "sample_barycentric": barycentric.astype(np.float32),
    }


def from_arrays(arrays: Arrays) -> Mesh:
    """Return the mesh (world frame) of a store's arrays."""
    materials, start = [], 0
    for color, (height, width) in zip(
        arrays["material_colors"], arrays["texture_sizes"], strict=True
    ):
        size = int(height) * int(width) * 4
        texture = arrays["texture_bytes"][start : start + size].reshape(height, width, 4)
        materials.append(Material(tuple(float(c) for c in color), texture if size else None))
        start += size
    return Mesh(
        vertices=arrays["vertices"],
        faces=arrays["faces"],
        polygon_of_face=arrays["polygon_of_face"],
        vertex_colors=arrays["vertex_colors"] if len(arrays["vertex_colors"]) else None,
        corner_uvs=arrays["corner_uvs"] if len(arrays["corner_uvs"]) else None,
        face_materials=arrays["face_materials"],
        materials=tuple(materials),
    )


@dataclass(frozen=True)
class Sites:
    """Points on which features and maps live: the file's vertices, then the surface samples.

    Attributes:
        positions: (v + s, 3) float64, world frame.
        num_vertices: v.
        faces: (f, 3) int32.
        sample_face: (s,) face of each sample.
        sample_barycentric: (s, 3) its barycentric coordinates.
    """

    positions: Float[np.ndarray, "n 3"]
    num_vertices: int
    faces: Int[np.ndarray, "f 3"]
    sample_face: Int[np.ndarray, " s"]
    sample_barycentric: Float[np.ndarray, "s 3"]

    @property
    def on_surface(self) -> Bool[np.ndarray, " n"]:
        """Tell samples and vertices that faces use from vertices that no face uses."""
        found = np.arange(len(self.positions)) >= self.num_vertices
        found[np.ravel(self.faces)] = True
        return found

    @property
    def box(self) -> Float[np.ndarray, "2 3"]:
        """Lower and upper corner of the box over the sites on the surface."""
        surface = self.positions[self.on_surface]
        return np.stack([surface.min(axis=0), surface.max(axis=0)])


SITE_ARRAYS = ("vertices", "faces", "sample_face", "sample_barycentric")


def sites_of(arrays: Arrays) -> Sites:
    """Return the sites of a mesh's arrays (only SITE_ARRAYS are read)."""
    mesh = Mesh(vertices=arrays["vertices"], faces=arrays["faces"])
    barycentric = arrays["sample_barycentric"].astype(np.float64)
    samples = positions_at(mesh, arrays["sample_face"], barycentric)
    return Sites(
        positions=np.concatenate([mesh.vertices, samples]),
        num_vertices=len(mesh.vertices),
        faces=mesh.faces,
        sample_face=arrays["sample_face"],
        sample_barycentric=barycentric,
    )


def _or_empty(array: np.ndarray | None, shape: tuple[int, ...], dtype) -> np.ndarray:
    return np.zeros(shape, dtype) if array is None else np.asarray(array, dtype)
