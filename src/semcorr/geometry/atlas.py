"""UV maps that a picture can be baked into: the mesh's own where it is one to one, else an unwrapping."""

from dataclasses import dataclass

import numpy as np
import xatlas
from jaxtyping import Float

from semcorr.errors import ItemError
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.sampling import degenerate_faces, face_areas
from semcorr.geometry.texels import texels_of

# Overlap and coverage are measured on a texture of this size
_PROBE = 256
_MOST_OVERLAP = 0.02
# Of the surface, without area in the texture
_MOST_FLAT = 0.01
_FLAT_TEXELS = 1e-4
# A side of one face's box in the texture: its texels are looked for in all of the box
_MOST_TILES = 4
# Of the texture that charts fill; xatlas packs about this well
_FILLED = 0.55


@dataclass(frozen=True)
class Atlas:
    """Where every face lies in a texture.

    Attributes:
        corner_uvs: (f, 3, 2) float64 in the order of the mesh's faces, (0, 0) = lower left.
        unwrapped: whether it was made here; then why the mesh's own would not do.
        reason: "" for the mesh's own.
    """

    corner_uvs: Float[np.ndarray, "f 3 2"]
    unwrapped: bool
    reason: str


def atlas_of(mesh: Mesh, size: int, padding: int = 4) -> Atlas:
    """Return the mesh's own UV map if a texture can be baked into it, else an unwrapping.

    Args:
        mesh: with at least one face that has an area.
        size: texels a side of the texture that will be baked.
        padding: texels between charts of an unwrapping.

    Raises:
        ItemError: no face has an area, or the mesh cannot be unwrapped.
    """
    reason = why_not_own(mesh)
    if not reason:
        return Atlas(mesh.corner_uvs.astype(np.float64), False, "")
    return Atlas(unwrap(mesh, size, padding), True, reason)


def why_not_own(mesh: Mesh) -> str:
    """Return why the mesh's own UV map cannot hold a baked texture, "" if it can.

    It must be there, be finite, give (nearly) every face an area, spread no face over many tiles, and
    show (nearly) no two points of the surface in one texel; maps that repeat a texture or share it
    between two sides do.
    """
    uvs = mesh.corner_uvs
    if uvs is None:
        return "no texture coordinates"
    if not np.isfinite(uvs).all():
        return "texture coordinates that are not finite"
    uvs = uvs.astype(np.float64)
    area = face_areas(mesh)
    total = float(area.sum())
    edge, other = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    in_texture = 0.5 * np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0])
    if in_texture.sum() > 1.0 + _MOST_OVERLAP:
        return "a UV map that covers its texture more than once"
    expected = area / total if total else area
    flat = in_texture < _FLAT_TEXELS * expected
    if area[flat].sum() > _MOST_FLAT * total:
        share = area[flat].sum() / total
        return f"{share:.0%} of the surface without area in the texture"
    tiles = float(np.ptp(uvs, axis=1).max(initial=0.0))
    if tiles > _MOST_TILES:
        return f"a face over {tiles:.3g} tiles of the texture"
    overlap = texels_of(uvs, _PROBE).overlap
    if overlap > _MOST_OVERLAP:
        return f"a UV map that overlaps itself in {overlap:.0%} of its texels"
    return ""


def unwrap(mesh: Mesh, size: int, padding: int = 4) -> Float[np.ndarray, "f 3 2"]:
    """Cut the surface into charts and pack them into one square texture (xatlas).

    Returns:
        (f, 3, 2) float64 in 0..1; zeros for faces without area.

    Raises:
        ItemError: no face has an area, or xatlas gave up.
    """
    solid = np.flatnonzero(~degenerate_faces(mesh))
    if not len(solid):
        raise ItemError("unwrap: no face of the mesh has an area")
    faces = mesh.faces[solid]
    # about 1 across, so that no threshold of the library depends on the frame
    scale = float(np.ptp(mesh.vertices[faces.ravel()], axis=0).max())
    positions = ((mesh.vertices - mesh.vertices[faces[0, 0]]) / scale).astype(np.float32)
    area = float(face_areas(mesh)[solid].sum()) / scale**2
    atlas = xatlas.Atlas()
    options = xatlas.PackOptions()
    options.padding = padding
    options.bilinear = True
    options.texels_per_unit = float(size * np.sqrt(_FILLED / area))
    try:
        atlas.add_mesh(positions, faces.astype(np.uint32))
        atlas.generate(xatlas.ChartOptions(), options)
        vertex, corners, uvs = atlas[0]
    except RuntimeError as error:
        raise ItemError(f"unwrap: xatlas cannot unwrap the mesh: {error}") from error
    if corners.shape != faces.shape or not np.array_equal(vertex[corners], faces):
        raise ItemError("unwrap: xatlas gave back other faces than it was given")
    found = np.zeros((len(mesh.faces), 3, 2))
    # normalised by width and by height there; texels stay square here
    side = max(atlas.width, atlas.height)
    found[solid] = uvs[corners] * (np.array([atlas.width, atlas.height]) / side)
    return found
