"""One vertex that no face uses, far away, changes no match, no picture and no colour of the rest."""

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from semcorr.cameras import make_cameras
from semcorr.datasets.procedural import generate
from semcorr.errors import ItemError
from semcorr.geometry.frames import used_box
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import sites_of, to_arrays
from semcorr.geometry.voxels import split_yaws
from semcorr.matching import guided, hierarchical, nearest, random, spatial
from semcorr.matching.cells import centres
from semcorr.matching.shape import Shape
from semcorr.matching.surfaces import match_surfaces
from semcorr.rendering import raycast
from semcorr.report.contact_sheet import (
    Prediction,
    SheetSource,
    SheetTarget,
    SheetText,
    correspondence_sheet,
)
from semcorr.report.page import PageMeta, PageShape, page_html
from semcorr.report.pair_picture import PairText, pair_picture
from semcorr.report.picture import look_at
from semcorr.stages.exports.colours import Colourings
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.matched.shape_loader import ShapeLoader
from semcorr.stages.pictures import dense_sheet
from semcorr.stages.voxels import voxels_of
from semcorr.store.memory import MemoryReader

CLEAN = generate("chair", 0, 0).mesh
COUNT = len(CLEAN.vertices)
# a light or a pivot that an exporter left behind, 20 longest sides away
STRAY = replace(CLEAN, vertices=np.concatenate([CLEAN.vertices, [[20.0, -3, 0]]]))
MESHES = {"clean": CLEAN, "stray": STRAY}
ARRAYS = {name: to_arrays(mesh, np.eye(4), 0, "a") for name, mesh in MESHES.items()}
SITES = {name: sites_of(arrays) for name, arrays in ARRAYS.items()}


class Pairs(PosePairs):
    """Shapes in memory."""

    def __init__(self):
        super().__init__([], [], [])

    def sites(self, item_id):
        return SITES[item_id]

    def mesh(self, item_id):
        return MESHES[item_id]


@pytest.fixture
def shapes():
    """Both, as matchers read them."""
    loader = ShapeLoader(None, dict.fromkeys(ARRAYS, MemoryReader(ARRAYS)))
    return {name: loader.load(name) for name in MESHES}


def test_the_box_is_that_of_the_used_vertices():
    expected = [CLEAN.vertices.min(axis=0), CLEAN.vertices.max(axis=0)]
    np.testing.assert_array_equal(used_box(STRAY.vertices, STRAY.faces), expected)
    with pytest.raises(ItemError, match="no faces to take a box of"):
        used_box(STRAY.vertices, STRAY.faces[:0])


def test_a_shape_knows_which_sites_lie_on_its_surface(shapes):
    assert shapes["clean"].surface() is shapes["clean"]
    surface = shapes["stray"].surface()
    np.testing.assert_array_equal(surface.sites, shapes["clean"].sites)
    assert surface.num_vertices == COUNT and surface.is_surface
    with pytest.raises(ValueError, match=r"a: on_surface: expected \(3,\), got \(2,\)"):
        Shape(np.zeros((3, 3)), 3, on_surface=np.ones(2, bool), name="a")
    with pytest.raises(ItemError, match="a: no site lies on the surface"):
        Shape(np.zeros((3, 3)), 3, on_surface=np.zeros(3, bool), name="a")


@pytest.mark.parametrize("align", ["none", "yaw", "rotation"])
@pytest.mark.parametrize("normalise", ["box", "samples"])
def test_spatial_matches_are_the_same(shapes, align, normalise):
    options = SimpleNamespace(align=align, yaws=24, rotations=64, normalise=normalise)
    clean, stray = (
        match_surfaces(spatial.match, shapes["clean"], shapes[n], options, 0) for n in MESHES
    )
    np.testing.assert_array_equal(np.delete(stray.target_to_source, COUNT), clean.target_to_source)
    np.testing.assert_array_equal(np.delete(stray.confidence, COUNT), clean.confidence)
    assert stray.info.keys() == clean.info.keys()
    for name, value in clean.info.items():
        np.testing.assert_allclose(stray.info[name], value, atol=1e-12)
    # a shape on itself; another rotation may be as good as none
    sites = shapes["clean"].sites
    moved = np.linalg.norm(sites[clean.target_to_source] - sites, axis=1)
    assert align == "rotation" or moved.max() < 1e-12


def test_pictures_are_the_same():
    clean, stray = (look_at(mesh, 40) for mesh in MESHES.values())
    assert len(clean.sample) > 0.2 * 120 * 120
    for name in ("sample", "face", "barycentric", "position", "normal", "light"):
        np.testing.assert_array_equal(getattr(stray, name), getattr(clean, name))
    found = [
        pair_picture(
            PairText("t", "s", "a", "b"),
            mesh,
            mesh,
            np.arange(len(mesh.vertices)),
            # a value more changes no percentile of a constant
            np.full(len(mesh.vertices), 0.5),
            size=60,
        )
        for mesh in MESHES.values()
    ]
    assert np.array_equal(*found)


def littered(mesh):
    """A mesh whose first vertices no face uses: some close to the surface, one far away."""
    litter = np.concatenate([mesh.vertices[::20] + 0.01, [[20.0, -3, 0]]])
    return Mesh(np.concatenate([litter, mesh.vertices]), mesh.faces + len(litter)), len(litter)


def described(mesh):
    """A shape with features of places, on sites and on the cells of a grid."""
    sites = sites_of(to_arrays(mesh, np.eye(4), 0, "a"))
    voxels = voxels_of(
        mesh.vertices, mesh.faces, SimpleNamespace(resolution=8, yaws=1, rotations=1)
    )
    waves = np.random.default_rng(1).normal(scale=6, size=(3, 16))
    cells = centres(np.stack(np.indices((8, 8, 8)), -1).reshape(-1, 3), 8)
    return Shape(
        sites.positions,
        sites.num_vertices,
        np.sin(sites.positions @ waves),
        np.sin(cells @ waves).T.reshape(1, 16, 8, 8, 8).astype(np.float32),
        tuple(split_yaws(voxels)),
        8,
        on_surface=sites.on_surface,
    )


@pytest.mark.parametrize("matcher", [guided, hierarchical, nearest, random, spatial])
def test_no_site_is_matched_to_a_vertex_that_no_face_uses(matcher):
    options = SimpleNamespace(
        **{"align": "none", "normalise": "box"},
        **{"temperature": 0.03, "sigma": 0.12, "position_weight": 1.0},
        **{"levels": 2, "radius": 1.0, "mutual": True},
    )
    meshes = [CLEAN, generate("chair", 0, 1).mesh]
    clean = match_surfaces(matcher.match, *map(described, meshes), options, 0)
    (source, ours), (target, theirs) = map(littered, meshes)
    shapes = described(source), described(target)
    found = match_surfaces(matcher.match, *shapes, options, 0)
    for name, own, other in (
        ("target_to_source", theirs, ours),
        ("source_to_target", ours, theirs),
    ):
        rows = getattr(clean, name)
        expected = np.where(rows < 0, -1, rows + other)
        np.testing.assert_array_equal(getattr(found, name)[own:], expected)
    np.testing.assert_array_equal(found.confidence[theirs:], clean.confidence)
    # litter goes where the site of the surface next to it goes
    near = theirs + cKDTree(shapes[1].sites[theirs:]).query(shapes[1].sites[:theirs])[1]
    np.testing.assert_array_equal(found.target_to_source[:theirs], found.target_to_source[near])
    np.testing.assert_array_equal(found.confidence[:theirs], found.confidence[near])


def test_views_are_the_same():
    # chairs shade themselves: shadow rays start off the surface by a share of the longest side
    cameras = make_cameras(rig="hammersley", views=2, radius=2, fov_deg=40, resolution=48)
    clean, stray = (raycast.render(mesh, cameras) for mesh in MESHES.values())
    for name in ("rgba", "depth", "normal", "mask", "face_id", "barycentric"):
        np.testing.assert_array_equal(getattr(stray, name), getattr(clean, name))


def test_sheets_are_the_same():
    samples = SITES["clean"].positions[COUNT:]
    shown = {"m": Prediction(0, np.arange(len(samples)))}
    found = [
        correspondence_sheet(
            SheetText("t"),
            [SheetSource("s", mesh, sites=samples)],
            [SheetTarget("t", mesh, samples, predictions=shown)],
            ["m"],
            size=60,
        )
        for mesh in MESHES.values()
    ]
    assert np.array_equal(*found)
    truth = np.arange(COUNT)
    dense = []
    for name, mesh in MESHES.items():
        look = look_at(mesh, 60)
        dense.append(
            [
                dense_sheet._coloured(Pairs(), name, 60),
                dense_sheet._along(Pairs(), name, truth, look, mesh.faces),
            ]
        )
    assert np.array_equal(*dense)


@pytest.mark.parametrize("what", ["positions", "rainbow"])
def test_exported_colours_are_the_same(what):
    colourings = Colourings(Pairs(), None, [what])
    there = {"target_to_source": np.arange(COUNT)}
    clean, stray = (next(colourings.of(name, "t", there)).site_colours for name in MESHES)
    np.testing.assert_array_equal(np.delete(stray, COUNT, axis=0), clean)
    assert len(np.unique(clean, axis=0)) > 1000


def test_the_page_is_the_same():
    def embedded(mesh):
        count = len(mesh.vertices)
        shape = PageShape("a", mesh.vertices, mesh.faces)
        text = page_html(shape, shape, np.arange(count), np.ones(count), PageMeta("t", "m"))
        data = json.loads(re.search(r'id="page-data">(.*?)</script>', text, re.S)[1])
        references = data["source"]["positions"], data["modes"][0]["source"]["colours"]
        for reference, kind in zip(references, ("<f4", "u1"), strict=True):
            packed = re.search(rf'id="{reference["array"]}">(.*?)</script>', text)[1]
            yield np.frombuffer(base64.b64decode(packed), kind).reshape(-1, 3)

    for clean, stray in zip(embedded(CLEAN), embedded(STRAY), strict=True):
        np.testing.assert_array_equal(stray[:-1], clean)
