"""Pictures of coloured meshes without a GPU: ray casting, a light over the shoulder, soft creases.

A `Look` holds what does not depend on colours (which surface point a pixel sees, how bright it is),
so that one shape is cast once and painted for every method.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.spatial import cKDTree

from semcorr.cameras import Cameras, explicit
from semcorr.geometry.frames import used_box, used_vertices
from semcorr.geometry.mesh import Mesh
from semcorr.rendering.interface import RenderOptions
from semcorr.rendering.normals import face_normals
from semcorr.rendering.raycast import render
from semcorr.rendering.rays import RayCaster
from semcorr.report.colours import linear_light, srgb_bytes
from semcorr.transfer.carry import NORMAL_WEIGHT

FIELD_OF_VIEW = 20.0  # degrees; narrow, so that proportions stay comparable
MARGIN = 0.94  # part of the picture that the shape fills
FRONT_LEFT = (-61.0, 21.0)  # azimuth (front is -90) and elevation in degrees, as in the pair's page

# light in the camera's frame (right, up, back) and from the sky; parts of the surface colour
_KEY = np.array([-0.6, 0.9, 1.0]) / np.linalg.norm([-0.6, 0.9, 1.0])
_KEY_STRENGTH, _SKY, _GROUND = 0.52, 0.60, 0.34
_OCCLUSION_REACH = 0.22  # of the longest side
_OCCLUSION_RAYS = 8
_OCCLUSION_WEIGHT = 0.75
_SURFACE_OFFSET = 5e-4


@dataclass(frozen=True)
class Look:
    """What the pixels of one view see; rows are the p samples that hit the shape.

    Attributes:
        size: side of the picture in pixels.
        grid: samples a pixel along each axis.
        sample: (p,) index into the (size * grid)^2 samples, row by row.
        face: (p,) index into the mesh's faces.
        barycentric: (p, 3).
        position: (p, 3) in the mesh's own frame.
        normal: (p, 3) of the face as it is wound, unit.
        light: (p,) brightness, about 0.2..1.2.
    """

    size: int
    grid: int
    sample: Int[np.ndarray, " p"]
    face: Int[np.ndarray, " p"]
    barycentric: Float[np.ndarray, "p 3"]
    position: Float[np.ndarray, "p 3"]
    normal: Float[np.ndarray, "p 3"]
    light: Float[np.ndarray, " p"]


def look_at(
    mesh: Mesh,
    size: int = 256,
    view: tuple[float, float] = FRONT_LEFT,
    grid: int = 3,
    crease_deg: float = 30.0,
) -> Look:
    """Cast one view of a mesh of any scale and position; the shape fills the picture.

    Args:
        mesh: axes as in the world frame (Z up, front -Y).
        size: side of the picture in pixels.
        view: azimuth (-90 = front, 0 = the sitter's left) and elevation in degrees.
        grid: grid x grid samples a pixel.
        crease_deg: edges sharper than this stay hard.
    """
    low, high = used_box(mesh.vertices, mesh.faces)
    scale = float((high - low).max()) or 1.0
    unit = Mesh((mesh.vertices - (low + high) / 2.0) / scale, mesh.faces)
    cameras = _fitting_camera(used_vertices(unit), view, size * grid)
    options = RenderOptions(crease_deg=crease_deg)
    views = render(unit, cameras, options, colours=False)
    row, column = np.nonzero(views.mask[0])
    face = views.face_id[0, row, column]
    weights = views.barycentric[0, row, column].astype(np.float64)
    smooth = views.normal[0, row, column].astype(np.float64)
    wound = face_normals(unit.triangles)
    # the side that the camera sees, so that rays for the sky start outside
    side = np.where(np.einsum("pi,pi->p", wound[face], smooth) < 0.0, -1.0, 1.0)
    start = np.einsum("pij,pi->pj", unit.triangles[face], weights)
    start += _SURFACE_OFFSET * side[:, None] * wound[face]
    light = _key_and_sky(smooth, cameras.world_from_cam_opengl[0, :3, :3])
    light *= _open_sky(RayCaster(unit), start, smooth, (row % 4) * 4 + column % 4)
    return Look(
        size=size,
        grid=grid,
        sample=row * size * grid + column,
        face=face,
        barycentric=weights,
        position=np.einsum("pij,pi->pj", mesh.triangles[face], weights),
        normal=wound[face],
        light=light,
    )


def paint_faces(look: Look, colours: UInt8[np.ndarray, "f 3"]) -> UInt8[np.ndarray, "s s 4"]:
    """Picture with one sRGB colour a face; RGBA, the background is transparent."""
    return _resolve(look, linear_light(np.asarray(colours))[look.face])


def paint_vertices(
    look: Look, faces: Int[np.ndarray, "f 3"], colours: UInt8[np.ndarray, "v 3"]
) -> UInt8[np.ndarray, "s s 4"]:
    """Picture with sRGB colours of the vertices, blended over each face in linear light."""
    corners = linear_light(np.asarray(colours))[np.asarray(faces)[look.face]]
    return _resolve(look, np.einsum("pij,pi->pj", corners, look.barycentric))


def paint_points(look: Look, colours: UInt8[np.ndarray, "p 3"]) -> UInt8[np.ndarray, "s s 4"]:
    """Picture with one sRGB colour for each sample of the look."""
    return _resolve(look, linear_light(np.asarray(colours)))


def nearest_sites(
    look: Look,
    sites: Float[np.ndarray, "n 3"],
    site_normals: Float[np.ndarray, "n 3"] | None = None,
) -> Int[np.ndarray, " p"]:
    """For each sample of the look the nearest site: how values on surface samples become pictures.

    Args:
        look: a view.
        sites: positions in the mesh's frame.
        site_normals: normals of the faces that the sites lie on, as wound; keeps the two sides of
            a thin board apart.
    """
    size = float(np.ptp(sites, axis=0).max()) or 1.0
    known, asked = sites / size, look.position / size
    if site_normals is not None:
        known = np.concatenate([known, NORMAL_WEIGHT * np.asarray(site_normals)], axis=1)
        asked = np.concatenate([asked, NORMAL_WEIGHT * look.normal], axis=1)
    return cKDTree(known).query(asked)[1]


def _fitting_camera(vertices, view, resolution) -> Cameras:
    """A camera in direction `view` from which every vertex falls inside the margin."""
    azimuth, elevation = np.deg2rad(view)
    back = np.array(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    up = np.cross(back, right)
    tangent = np.tan(np.deg2rad(FIELD_OF_VIEW) / 2.0) * MARGIN
    reach = np.maximum(np.abs(vertices @ right), np.abs(vertices @ up))
    distance = max(0.6, float((vertices @ back + reach / tangent).max()))
    return explicit(back[None] * distance, fov_deg=FIELD_OF_VIEW, resolution=resolution)


def _key_and_sky(normals, world_from_cam) -> Float[np.ndarray, " p"]:
    """Lambert light of the lamp over the left shoulder plus a sky brighter than the ground."""
    key = np.maximum(normals @ (world_from_cam @ _KEY), 0.0)
    sky = _GROUND + (_SKY - _GROUND) * (0.5 + 0.5 * normals[:, 2])
    return _KEY_STRENGTH * key + sky


def _open_sky(caster, origins, normals, pattern) -> Float[np.ndarray, " p"]:
    """Dimming of creases: share of cosine-weighted directions that leave the neighbourhood."""
    steps = np.arange(_OCCLUSION_RAYS)
    radius = np.sqrt((steps + 0.5) / _OCCLUSION_RAYS)
    helper = np.where(np.abs(normals[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    tangent = np.cross(helper, normals)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    bitangent = np.cross(normals, tangent)
    open_share = np.zeros(len(origins))
    for step in steps:
        # the golden angle spreads the rays; neighbouring pixels turn the whole fan
        angle = step * 2.399963 + pattern * (2.0 * np.pi / 16.0)
        across = radius[step] * (
            np.cos(angle)[:, None] * tangent + np.sin(angle)[:, None] * bitangent
        )
        upward = np.sqrt(1.0 - radius[step] ** 2) * normals
        open_share += ~caster.blocked(origins.T, _OCCLUSION_REACH * (across + upward).T)
    return 1.0 - _OCCLUSION_WEIGHT * (1.0 - open_share / _OCCLUSION_RAYS)


def _resolve(look: Look, albedo: Float[np.ndarray, "p 3"]) -> UInt8[np.ndarray, "s s 4"]:
    """Average the samples of each pixel in linear light; straight alpha."""
    row, column = np.divmod(look.sample, look.size * look.grid)
    pixel = (row // look.grid) * look.size + column // look.grid
    count = look.size * look.size
    number = np.bincount(pixel, minlength=count)
    picture = np.zeros((count, 4), dtype=np.uint8)
    covered = number > 0
    for channel in range(3):
        total = np.bincount(pixel, albedo[:, channel] * look.light, minlength=count)
        picture[covered, channel] = srgb_bytes(total[covered] / number[covered])
    picture[:, 3] = np.rint(255.0 * number / look.grid**2)
    return picture.reshape(look.size, look.size, 4)
