import numpy as np
import pytest

from semcorr.cameras import orbit
from semcorr.errors import ItemError, UserError
from semcorr.features.lifting import (
    LiftOptions,
    bilinear_operator,
    centred_and_normalised,
    lift,
    on_background,
    view_maps,
    visible_sites,
)
from semcorr.networks.backbones import build_backbone, extract

SIDE = 24


def sphere_scene(views=3, radius=0.4, side=SIDE):
    """Depth of a sphere, in closed form, and sites on and inside it."""
    cameras = orbit(views, 2.0, 40.0, side, elevations=(15.0,))
    depth = np.zeros((views, side, side), np.float32)
    for view in range(views):
        focal, centre = cameras.intrinsics[view, 0, 0], side / 2
        turn, shift = cameras.cam_from_world[view, :3, :3], cameras.cam_from_world[view, :3, 3]
        for i, j in np.ndindex(side, side):
            ray = np.array([(j + 0.5 - centre) / focal, (i + 0.5 - centre) / focal, 1.0])
            # |d ray - c| = radius with c the world's origin in the camera
            a, b, c = ray @ ray, ray @ shift, shift @ shift - radius**2
            root = b * b - a * c
            depth[view, i, j] = (b - np.sqrt(root)) / a if root > 0 else 0
        assert np.allclose(turn @ turn.T, np.eye(3))
    rng = np.random.default_rng(0)
    sites = rng.standard_normal((60, 3))
    sites *= radius / np.linalg.norm(sites, axis=1, keepdims=True)
    sites[-3:] *= 0.3  # inside: no view shows them
    return cameras, depth, sites


def random_maps(views, shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        for _ in range(views)
    ]


def slow_sample(grid, x, y, size, corners):
    """Bilinear value of a (c, h, w) map at a relative position of the picture."""
    _, h, w = grid.shape

    def place(relative, count):
        if corners:
            p = (relative * size - 0.5) / (size - 1) * (count - 1)
        else:
            p = relative * count - 0.5
        return min(max(p, 0.0), count - 1.0)

    px, py = place(x, w), place(y, h)
    out = np.zeros(len(grid))
    for r in range(h):
        for c in range(w):
            out += grid[:, r, c] * max(0.0, 1 - abs(r - py)) * max(0.0, 1 - abs(c - px))
    return out


def slow_lift(maps, depth, cameras, sites, options):
    """Site by site, view by view, pixel by pixel."""
    views, height, width = depth.shape
    sums, hits = [0.0] * len(sites), np.zeros(len(sites), int)
    ready = []
    for view in range(views):
        layers = []
        for name, weight in options.layers.items():
            grid = maps[view][name].astype(np.float64)
            if options.centre == "view":
                seen = [
                    slow_sample(
                        grid,
                        (j + 0.5) / width,
                        (i + 0.5) / height,
                        options.network_size,
                        options.cells_at_corners,
                    )
                    for i, j in np.argwhere(depth[view] > 0)
                ]
                grid = grid - np.mean(seen, axis=0)[:, None, None]
            layers.append(weight * grid / np.linalg.norm(grid, axis=0))
        ready.append(layers)
    for index, site in enumerate(sites):
        for view in range(views):
            focal = cameras.intrinsics[view, 0, 0]
            local = cameras.cam_from_world[view, :3, :3] @ site
            local = local + cameras.cam_from_world[view, :3, 3]
            x, y, _ = cameras.intrinsics[view] @ local / local[2]
            if not (0 <= x < width and 0 <= y < height):
                continue
            near, limit = False, max(options.tolerance, local[2] / focal)
            for i in (int(np.floor(y - 0.5)), int(np.floor(y - 0.5)) + 1):
                for j in (int(np.floor(x - 0.5)), int(np.floor(x - 0.5)) + 1):
                    d = depth[view, min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
                    near |= d > 0 and abs(d - local[2]) <= limit
            if near:
                hits[index] += 1
                at = (x / width, y / height, options.network_size, options.cells_at_corners)
                sums[index] = sums[index] + np.concatenate(
                    [slow_sample(grid, *at) for grid in ready[view]]
                )
    features = [None] * len(sites)
    for index in range(len(sites)):
        source = index
        if not hits[index]:
            distance = np.linalg.norm(sites - sites[index], axis=1)
            distance[hits == 0] = np.inf
            source = int(distance.argmin())
        features[index] = sums[source] / hits[source]
    return np.array(features), hits


@pytest.mark.parametrize("centre", ["view", "none"])
@pytest.mark.parametrize(("corners", "tolerance"), [(True, 0.01), (False, 0.1)])
def test_equals_the_slow_loop(centre, corners, tolerance):
    cameras, depth, sites = sphere_scene()
    shapes = {"a": (5, 4, 4), "b": (3, 7, 6)}
    maps = random_maps(3, shapes)
    options = LiftOptions({"b": 0.7, "a": 1.0}, 33, centre, corners, tolerance)
    got = lift(iter(maps), depth, cameras, sites, options)
    want, hits = slow_lift(maps, depth, cameras, sites, options)
    assert np.array_equal(got.hits, hits) and (hits[-3:] == 0).all() and (hits > 1).any()
    assert got.features.dtype == np.float16 and got.features.shape == (60, 8)
    np.testing.assert_allclose(got.features.astype(float), want, atol=1.5e-3)


def test_hidden_sites_are_not_seen():
    """Only sites on the camera's side of the sphere are visible, up to the grazing ones."""
    cameras, depth, sites = sphere_scene(1)
    options = LiftOptions({"a": 1.0}, 28, tolerance=0.01)
    maps = random_maps(1, {"a": (2, 3, 3)})
    hits = lift(maps, depth, cameras, sites[:-3], options).hits
    camera = cameras.positions[0]
    facing = np.einsum("nd,nd->n", camera - sites[:-3], sites[:-3]) / 0.4
    assert (hits[facing < -0.2] == 0).all() and (facing < -0.2).any()
    assert (hits[facing > 0.8] == 1).all() and (facing > 0.8).any()


def test_depth_test_at_edges():
    depth = np.zeros((4, 4), np.float32)
    depth[:, :2] = 1.0
    pixels = np.array([[2.2, 1.5], [2.6, 1.5], [1.5, 1.5], [1.5, 1.5], [-0.1, 1], [4.0, 1]])
    z = np.array([1.0, 1.0, 1.0, 1.2, 1.0, 1.0])
    # 2.2 lies in an empty pixel beside the object; 2.6 is a pixel further away.
    assert visible_sites(pixels, z, depth, 0.01).tolist() == [0, 2]
    assert visible_sites(pixels[:1], -z[:1], depth, 9.0).tolist() == []


@pytest.mark.parametrize("corners", [True, False])
def test_sampling_weights(corners):
    options = LiftOptions({"a": 1.0}, 17, cells_at_corners=corners)
    operator = bilinear_operator(
        np.random.default_rng(0).random((50, 2)) * 20, (20, 20), (5, 3), options
    )
    assert operator.shape == (50, 15)
    np.testing.assert_allclose(operator.sum(1), 1, rtol=1e-6)
    # Outermost pixel of the network's picture = outermost cell; patches start half a cell later.
    first = 0.5 / 17 * 20 if corners else 20 / 3 / 2
    row = bilinear_operator(np.array([[first, 0.0]]), (20, 20), (5, 3), options).toarray()[0]
    assert row[0] == pytest.approx(1)
    one_cell = bilinear_operator(np.array([[3.0, 7.0]]), (20, 20), (1, 1), options)
    assert one_cell.toarray().tolist() == [[1.0]]


def test_mean_over_the_object_is_removed():
    depth = np.zeros((10, 10), np.float32)
    depth[2:9, 3:8] = 1
    grid = np.random.default_rng(0).standard_normal((6, 5, 5)).astype(np.float32) + 7
    options = LiftOptions({"a": 1.0}, 28)
    rows = centred_and_normalised(grid, depth, options)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    everywhere = [
        slow_sample(grid, (j + 0.5) / 10, (i + 0.5) / 10, 28, False)
        for i, j in np.argwhere(depth > 0)
    ]
    centred = grid.reshape(6, -1).T - np.mean(everywhere, axis=0)
    np.testing.assert_allclose(
        rows, centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-4
    )
    empty = centred_and_normalised(grid, np.zeros_like(depth), options)  # nothing to centre on
    assert np.isfinite(empty).all()


def test_nothing_visible_is_permanent():
    cameras, depth, sites = sphere_scene(1)
    maps = random_maps(1, {"a": (2, 3, 3)})
    options = LiftOptions({"a": 1.0}, 28)
    with pytest.raises(ItemError, match="no view"):
        lift(maps, np.zeros_like(depth), cameras, sites, options)
    maps[0]["a"][:] = np.nan
    with pytest.raises(ItemError, match="finite"):
        lift(maps, depth, cameras, sites, options)
    with pytest.raises(ValueError, match="depth: expected"):
        lift(maps, depth[:, :5], cameras, sites, options)
    with pytest.raises(ValueError, match="argument"):
        lift([], depth, cameras, sites, options)


def test_memory_does_not_grow_with_views():
    """Maps are asked for one view after the other and let go."""
    cameras, depth, sites = sphere_scene(3)
    alive = []

    class Tracked(dict):
        def __init__(self, *args):
            super().__init__(*args)
            alive.append(1)

        def __del__(self):
            alive.pop()

    def produce():
        for maps in random_maps(3, {"a": (2, 3, 3)}):
            assert len(alive) <= 1
            yield Tracked(maps)

    lift(produce(), depth, cameras, sites, LiftOptions({"a": 1.0}, 28))


def test_options_are_checked():
    for wrong in ({"layers": {}}, {"layers": {"a": 0.0}}, {"layers": {"a": 1.0}, "centre": "all"}):
        with pytest.raises(UserError):
            LiftOptions(**{"network_size": 28, **wrong})


def test_background():
    rgba = np.array([[[[255, 0, 51, 255], [255, 255, 255, 0], [255, 0, 0, 51]]]], np.uint8)
    white = on_background(rgba)[0, 0]
    np.testing.assert_allclose(white, [[1, 0, 0.2], [1, 1, 1], [1, 0.8, 0.8]], atol=1e-6)
    np.testing.assert_allclose(on_background(rgba, "black")[0, 0, 2], [0.2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(on_background(rgba, "grey")[0, 0, 1], 0.5, atol=1e-6)


def test_maps_of_a_network_one_view_at_a_time():
    backbone = build_backbone("tiny_vit", {"embed_dim": 12, "depth": 2, "num_heads": 2}, 0)
    pictures = np.random.default_rng(0).random((3, 40, 40, 3), np.float32)
    together = extract(backbone, pictures, ["block.1", "block.0"], 112)
    for view, maps in enumerate(view_maps(backbone, pictures, ["block.1", "block.0"], 112)):
        for layer, grid in maps.items():
            np.testing.assert_allclose(grid, together[layer][view], atol=1e-5)
