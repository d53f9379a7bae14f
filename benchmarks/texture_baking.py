"""Texture baking: vectorised against one texel after another.

    OMP_NUM_THREADS=1 python benchmarks/texture_baking.py

A picture on one procedural chair is baked into the UV map of another one along the map of nearest sites. Per
texel: the face that covers it, the place to which a linear fit of the matches of its eight nearest sites
takes it, the closest point of the source's surface, the picture's colour there. The plain formulation looks
at all faces and sites for every texel; unwrapping is left out of both.

The pictures must agree where both name the same face. A place off the surface is often closest to an edge;
then rounding decides which of its two faces is named, and across a seam of the source's UV map these have
their own surroundings in the picture, which the lookup averages over the area of a texel.
"""

import argparse
import statistics
import time

import numpy as np

from semcorr.datasets.procedural import generate
from semcorr.geometry.atlas import Atlas, atlas_of
from semcorr.geometry.closest import Surface
from semcorr.geometry.mesh import Material, Mesh
from semcorr.geometry.mesh_arrays import sites_of, to_arrays
from semcorr.geometry.texels import padded, texels_of
from semcorr.matching.cells import nearest_rows
from semcorr.transfer import carry
from semcorr.transfer.texture import Paint, bake, dense

PADDING = 4
SOURCE_SIZE = 512  # texels a side of the source's picture
SAME_PLACE = 1e-7  # longest side = 1
SAME_COLOUR = 1  # of 255: rounding


def shapes(size: int, source_size: int = SOURCE_SIZE):
    """Return source with a picture, its sites, target, its sites, its atlas, and the map."""
    meshes = [generate("chair", 1, index).mesh for index in (0, 1)]
    own, other = (
        sites_of(to_arrays(m, np.eye(4), 0, name)) for m, name in zip(meshes, "st", strict=True)
    )
    source = painted(meshes[0], source_size)
    target = Mesh(meshes[1].vertices, meshes[1].faces)
    _, match = nearest_rows(other.positions, own.positions)
    return source, own, target, other, atlas_of(target, size), match


def painted(mesh: Mesh, size: int) -> Mesh:
    """Give a mesh a texture whose colours are the same on both sides of every seam."""
    waves = 0.5 + 0.5 * np.sin(12 * mesh.vertices + [0, 1, 2])
    colours = np.rint(255 * np.column_stack([waves, np.ones(len(waves))])).astype(np.uint8)
    white = Material((1.0,) * 4)
    plain_look = Mesh(mesh.vertices, mesh.faces, vertex_colors=colours, materials=(white,))
    atlas = atlas_of(plain_look, size)
    picture = bake(Paint(plain_look), itself, plain_look, atlas, size, PADDING).picture
    material = Material((1.0,) * 4, np.dstack([picture, np.full((size, size), 255, np.uint8)]))
    uvs = atlas.corner_uvs.astype(np.float32)
    return Mesh(mesh.vertices, mesh.faces, corner_uvs=uvs, materials=(material,))


def itself(points):
    return points.face, points.weights, np.ones(len(points.face), bool)


def fast(source, own, target, other, atlas, match, size):
    """Return the picture, and of every texel on the surface face and weights on the source."""
    follow = dense(Surface(source), other, own.positions, match)
    found = []

    def kept(points):
        found.append(follow(points))
        return found[0]

    picture = bake(Paint(source), kept, target, atlas, size, PADDING).picture
    texels = texels_of(atlas.corner_uvs, size).texel
    return picture, dict(zip(texels.tolist(), zip(*found[0][:2], strict=True), strict=True))


def plain(source, own, target, other, atlas: Atlas, match, size):
    """The same, one texel after another; numpy only over what one texel is compared with."""
    known, taken = carry.site_normals(other), own.positions[match]
    described = np.concatenate([other.positions, carry.NORMAL_WEIGHT * known], axis=1)
    corners = np.stack([atlas.corner_uvs[..., 0], 1 - atlas.corner_uvs[..., 1]], -1) * size - 0.5
    picture, covered = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), bool)
    alone, found = set(range(len(corners))), {}
    for row in range(size):
        for column in range(size):
            weights = inside(corners, np.array([column, row], float))
            faces = np.flatnonzero((weights >= -1e-7).all(axis=1))
            alone -= set(faces.tolist())
            if len(faces):
                covered[row, column] = True
                picture[row, column], found[row * size + column] = colour(
                    source,
                    target,
                    described,
                    other,
                    taken,
                    atlas,
                    faces[0],
                    weights[faces[0]],
                    size,
                )
    for face in sorted(alone):
        column, row = np.floor(corners[face].mean(axis=0) + 0.5).astype(int) % size
        if not covered[row, column]:
            covered[row, column] = True
            third = np.full(3, 1 / 3)
            picture[row, column], found[row * size + column] = colour(
                source, target, described, other, taken, atlas, face, third, size
            )
    return padded(picture, covered, PADDING), found


def inside(corners, point):
    first = corners[:, 0]
    along, across, offset = corners[:, 1] - first, corners[:, 2] - first, point - first
    area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    flat = np.abs(area) < 1e-12
    area = np.where(flat, 1, area)
    second = (offset[:, 0] * across[:, 1] - offset[:, 1] * across[:, 0]) / area
    third = (along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]) / area
    weights = np.stack([1 - second - third, second, third], axis=1)
    weights[flat] = -1
    return weights


def colour(source, target, described, other, taken, atlas, face, weights, size):
    weights = np.maximum(weights, 0)
    triangle = target.vertices[target.faces[face]]
    point = weights / weights.sum() @ triangle
    normal = np.cross(triangle[1] - triangle[0], triangle[2] - triangle[0])
    area = np.linalg.norm(normal)
    normal = normal / area if area > 0 else normal
    asked = np.concatenate([point, carry.NORMAL_WEIGHT * normal])
    distance = np.linalg.norm(described - asked, axis=1)
    near = np.argsort(distance)[: carry.NEIGHBOURS]
    offsets = other.positions[near] - point
    place = carry._fitted(offsets[None], taken[near][None], distance[near][None])[0]
    found, foot = closest(place, source.triangles)
    spans = atlas.corner_uvs[face][1:] - atlas.corner_uvs[face][0]
    texels = 0.5 * abs(spans[0, 0] * spans[1, 1] - spans[0, 1] * spans[1, 0]) * size**2
    return lookup(source, found, foot, 0.5 * area / max(texels, 1.0)), (found, foot)


def closest(point, triangles):
    """The closest point of all triangles to one point: face and weights."""
    best, found = np.inf, (0, np.zeros(3))
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    normal = np.cross(b - a, c - a)
    squared = (normal**2).sum(axis=1)
    solid = squared > 0
    squared = np.where(solid, squared, 1)
    second = (np.cross(point - a, c - a) * normal).sum(axis=1) / squared
    third = (np.cross(b - a, point - a) * normal).sum(axis=1) / squared
    weights = np.stack([1 - second - third, second, third], axis=1)
    choices = [(weights, solid & (weights >= 0).all(axis=1))]
    for start in range(3):
        end = (start + 1) % 3
        edge = triangles[:, end] - triangles[:, start]
        length = np.maximum((edge**2).sum(axis=1), 1e-300)
        place = np.clip(((point - triangles[:, start]) * edge).sum(axis=1) / length, 0, 1)
        on_edge = np.zeros((len(triangles), 3))
        on_edge[:, start], on_edge[:, end] = 1 - place, place
        choices.append((on_edge, solid))
    for weights, allowed in choices:
        gap = np.linalg.norm(np.einsum("fk,fkc->fc", weights, triangles) - point, axis=1)
        gap[~allowed] = np.inf
        face = int(gap.argmin())
        if gap[face] < best:
            best, found = gap[face], (face, weights[face])
    return found


def lookup(source, face, weights, footprint):
    """The picture's colour at one point (the package's own filtered lookup, for one point)."""
    paint = PAINTS.setdefault(id(source), Paint(source))
    found = paint.at(np.array([face]), weights[None], np.array([footprint]))
    return np.rint(255 * found[0]).astype(np.uint8)


PAINTS: dict[int, Paint] = {}


def compare(source: Mesh, ours, theirs) -> dict[str, int]:
    """Assert that two answers agree but for which face of a common edge they name; count those texels.

    Args:
        source: the mesh whose faces are named.
        ours, theirs: what `fast` and `plain` return.
    """
    (picture, found), (expected, named) = ours, theirs
    assert found.keys() == named.keys()
    difference = np.abs(picture.astype(int) - expected).max(axis=2).ravel()
    other_face, uvs = [], source.corner_uvs.astype(np.float64)
    for texel, (face, weights) in found.items():
        their_face, their_weights = named[texel]
        places = weights @ source.triangles[face], their_weights @ source.triangles[their_face]
        assert np.linalg.norm(places[0] - places[1]) < SAME_PLACE, f"texel {texel}: other places"
        if face != their_face:
            other_face.append(texel)
            own, other = weights @ uvs[face], their_weights @ uvs[their_face]
            seam = np.abs(own - other).max() > SAME_PLACE
            assert seam or difference[texel] <= SAME_COLOUR, f"texel {texel}: not on a seam"
            continue
        assert difference[texel] <= SAME_COLOUR, f"texel {texel}: {difference[texel]} of 255"
    return {
        "texels": len(found),
        "other_face": len(other_face),
        "other_colour": int((difference[other_face] > SAME_COLOUR).sum()),
        "largest": int(difference[other_face].max(initial=0)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64, help="texels a side")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    inputs = (*shapes(arguments.size), arguments.size)
    seconds = {fast: [], plain: []}
    answers = {}
    for _ in range(arguments.repeats):
        for way, times in seconds.items():
            start = time.process_time()
            answers[way] = way(*inputs)
            times.append(time.process_time() - start)
    counted = compare(inputs[0], answers[fast], answers[plain])
    ours, theirs = (statistics.median(times) for times in seconds.values())
    faces = len(inputs[0].faces), len(inputs[2].faces)
    print(f"{arguments.size}^2 texels, {faces[0]} and {faces[1]} faces, {len(inputs[5])} sites")
    print(
        "{texels} texels on the surface; {other_face} of them at an edge whose other face is named,"
        " {other_colour} of these in another colour, by at most {largest} of 255".format(**counted)
    )
    print(f"plain {theirs:.3f} s of CPU time, vectorised {ours:.3f} s, ratio {theirs / ours:.1f}x")


if __name__ == "__main__":
    main()
