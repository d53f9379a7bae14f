"""Structured latents and hidden states as features: the step, the kinds, and what they refuse."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial import cKDTree

from semcorr.cameras import orbit
from semcorr.config.kinds.guided import Options as Guided
from semcorr.config.kinds.slat_states import Options as States
from semcorr.config.kinds.trellis_slat import Options as Latents
from semcorr.config.kinds.voxel_views import Options as Views
from semcorr.datasets.procedural import generate
from semcorr.errors import ItemError, UserError
from semcorr.features import slat_states, trellis_slat, voxel_views
from semcorr.features.single_step import SingleStep
from semcorr.features.slat_single_step import (
    PUBLISHED_MEAN,
    PUBLISHED_STD,
    normalised_latents,
    perturbed_rows,
    slat_single_step,
)
from semcorr.features.upstream import Upstream
from semcorr.geometry.mesh_arrays import sites_of, to_arrays
from semcorr.geometry.voxels import voxelise
from semcorr.matching import guided, nearest
from semcorr.matching.rotations import turns
from semcorr.matching.shape import Shape
from semcorr.networks.backbones import build_backbone
from semcorr.networks.sparse.voxel_set import one_shape
from semcorr.networks.trellis.loading import untrained_network
from semcorr.store.memory import MemoryReader

ENCODER = {
    "resolution": 16,
    "in_channels": 96,
    "model_channels": 18,
    "latent_channels": 8,
    "num_blocks": 2,
    "num_heads": 1,
    "window_size": 4,
}
FLOW = {
    "resolution": 16,
    "in_channels": 8,
    "out_channels": 8,
    "model_channels": 20,
    "cond_channels": 96,
    "num_blocks": 3,
    "num_heads": 2,
    "io_block_channels": [6],
}
CAMERAS = orbit(2, 2.0, 40.0, 32)
PICTURE = {"image_encoder": "w", "backbone": "tiny_vit", "image_size": 32}


@pytest.fixture(scope="module")
def flow():
    return untrained_network("SLatFlowModel", FLOW, 3)


def shape_of_one(seed=0, count=40, channels=8):
    generator = np.random.default_rng(seed)
    cells = np.stack(np.unravel_index(generator.permutation(16**3)[:count], (16,) * 3), axis=1)
    return generator.standard_normal((count, channels), dtype=np.float32), cells.astype(np.uint8)


def conditions(views=3):
    return np.random.default_rng(5).standard_normal((views, 4, 96), dtype=np.float32)


# -- the step ---------------------------------------------------------------------------------


@pytest.mark.parametrize("w", [2.5, 0.0, -0.5, -1.0])
def test_states_are_guided_as_published(flow, w):
    """Per view one conditional and one unconditional whole pass, combined and averaged."""
    latents, cells = shape_of_one()
    options = SingleStep(layers=(0, 2), timestep=11, guidance=w)
    found, tokens = slat_single_step(flow, latents, cells, conditions(), options)
    t = torch.tensor([1000 * 11 / 12])
    x, voxels = torch.from_numpy(latents), one_shape(cells)
    for row, layer in enumerate((0, 2)):
        total = 0
        for view in torch.from_numpy(conditions()):
            hidden = flow(x, voxels, t, view[None], taps=[layer]).hidden[layer]
            zero = flow(x, voxels, t, torch.zeros_like(view)[None], taps=[layer]).hidden[layer]
            total = total + (1 + w) * hidden[0] - w * zero[0]
        np.testing.assert_allclose(found[row], total / 3, atol=3e-5)
    assert tokens.tolist() == np.unique(cells // 2, axis=0).tolist()


def test_noise_belongs_to_the_cell_and_to_the_seed():
    """Two shapes with a cell in common get the same noise there, in whatever row it is."""
    options = SingleStep(noise=6, draws=2, seed=4)
    (latents, cells), (_, others) = shape_of_one(0), shape_of_one(1)
    others[3] = cells[10]
    one, two = (
        perturbed_rows(torch.zeros(40, 8), np.int64(c), 16, options) for c in (cells, others)
    )
    assert one.shape == (2, 40, 8) and not torch.equal(one[0], one[1])
    assert torch.equal(one[:, 10], two[:, 3]) and not torch.equal(one[:, 11], two[:, 11])
    again = perturbed_rows(torch.zeros(40, 8), np.int64(cells), 16, replace(options, seed=5))
    assert not torch.equal(one, again)
    mixed = perturbed_rows(torch.from_numpy(latents), np.int64(cells), 16, options)
    torch.testing.assert_close(mixed, one + 0.5 * torch.from_numpy(latents))
    clean = perturbed_rows(torch.from_numpy(latents), np.int64(cells), 16, SingleStep())
    assert torch.equal(clean, torch.from_numpy(latents)[None])


def test_step_refuses_what_it_cannot_compute(flow):
    latents, cells = shape_of_one()
    with pytest.raises(UserError, match="needs pictures"):
        slat_single_step(flow, latents, cells, None, SingleStep(layers=(0,)))
    blind = SingleStep(layers=(0,), guidance=-1)
    with pytest.raises(ItemError, match="no occupied voxel"):
        slat_single_step(flow, latents[:0], cells[:0], None, blind)
    latents[3] = np.nan
    with pytest.raises(ItemError, match="not finite"):
        slat_single_step(flow, latents, cells, None, blind)


def test_normalisation_is_the_published_one():
    latents = PUBLISHED_MEAN + np.array([[0.0], [2.0]], np.float32) * PUBLISHED_STD
    np.testing.assert_allclose(normalised_latents(latents), [[0] * 8, [2] * 8], atol=1e-6)
    with pytest.raises(UserError, match="8 channels, the latents have 4: set normalise: none"):
        normalised_latents(np.zeros((3, 4), np.float32))


# -- the kinds --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """{name: small JSON} of seeded random networks in the form of assets."""
    folder = tmp_path_factory.mktemp("assets")
    vit = build_backbone("tiny_vit", seed=1).module
    networks = {
        "enc": (untrained_network("SLatEncoder", ENCODER, 1), "SLatEncoder", ENCODER),
        "flow": (untrained_network("SLatFlowModel", FLOW, 2), "SLatFlowModel", FLOW),
        "image": (vit, None, None),
    }
    found = {}
    for key, (network, name, args) in networks.items():
        (folder / key).mkdir()
        state = {k: v.contiguous() for k, v in network.state_dict().items()}
        save_file(state, folder / key / "w.safetensors")
        files = ["w.safetensors"]
        if name:
            (folder / key / "w.json").write_text(json.dumps({"name": name, "args": args}))
            files.append("w.json")
        found[key] = folder / f"{key}.json"
        found[key].write_text(json.dumps({"files": [{"file": f, "sha256": ""} for f in files]}))
    return found


def upstream_of(weights, resolution=16, **more):
    """Two chairs with noise for pictures: kinds need no renderer."""
    generator = np.random.default_rng(0)
    meshes, voxels, renders = {}, {}, {}
    for number in range(2):
        mesh = generate("chair", number, 0).mesh
        item = f"chair_{number}"
        meshes[item] = to_arrays(mesh, np.eye(4), 0, item)
        cells = voxelise(mesh.vertices, mesh.faces, resolution)
        voxels[item] = {"cells": cells, "cell_counts": np.array([len(cells)], np.int32)}
        renders[item] = {
            "rgba": generator.integers(0, 255, (2, 32, 32, 4), dtype=np.uint8),
            "cam_from_world": CAMERAS.cam_from_world,
            "intrinsics": CAMERAS.intrinsics,
        }
    return Upstream(
        meshes=MemoryReader(meshes),
        renders=MemoryReader(renders),
        voxels=MemoryReader(voxels, {"cfg": {"resolution": resolution}}),
        weights=weights,
        device="cpu",
        **more,
    )


def latents_of(weights, resolution=16, **options):
    fields = {"weights": weights["enc"], "image_encoder": weights["image"]}
    upstream = upstream_of(fields, resolution)
    entry = Latents(kind="trellis_slat", voxel="v", render="r", weights="w", **PICTURE | options)
    with trellis_slat.extractor(entry, upstream) as compute:
        return {item: compute(item) for item in ("chair_0", "chair_1")}


def states_of(weights, latents, seed=0, **options):
    fields = {"weights": weights["flow"], "image_encoder": weights["image"]}
    upstream = replace(upstream_of(fields, seed=seed), latents=MemoryReader(latents))
    values = {"layer": 1, "render": "r", **PICTURE, **options}
    entry = States(kind="slat_states", latent="l", weights="w", **values)
    with slat_states.extractor(entry, upstream) as compute:
        return {item: compute(item)["site_features"] for item in latents}


@pytest.fixture(scope="module")
def latents(weights):
    return latents_of(weights)


def test_latents_have_a_row_for_every_voxel(latents):
    for item, arrays in latents.items():
        assert arrays.keys() == {"cells", "latents", "resolution"}
        assert arrays["latents"].shape == (len(arrays["cells"]), 8), item
        assert arrays["latents"].dtype == np.float32 and arrays["resolution"].tolist() == [16]
        assert arrays["latents"].std(0).min() > 1e-3
    assert trellis_slat.RAGGED == {"cells", "latents"}


def test_latents_are_the_same_every_time_and_differ_untrained(weights, latents):
    again, control = latents_of(weights), latents_of(weights, untrained=True)
    for item, arrays in latents.items():
        np.testing.assert_array_equal(again[item]["latents"], arrays["latents"])
        assert np.abs(control[item]["latents"] - arrays["latents"]).max() > 1e-3


@pytest.fixture(scope="module")
def twice(weights, latents):
    """One chair with two sets of samples: (arrays, states) of each, the states computed for each anew."""
    names = ("chair_0", "again")
    mesh = generate("chair", 0, 0).mesh
    meshes = {name: to_arrays(mesh, np.eye(4), 0, name) for name in names}
    upstream = replace(
        upstream_of({"weights": weights["flow"]}),
        meshes=MemoryReader(meshes),
        latents=MemoryReader(dict.fromkeys(names, latents["chair_0"])),
    )
    entry = States(kind="slat_states", latent="l", weights="w", layer=1, guidance=-1)
    with slat_states.extractor(entry, upstream) as compute:
        return [(meshes[name], compute(name)["site_features"]) for name in names]


def shape_of(arrays, states, turn=None):
    sites = sites_of(arrays).positions
    count = sites_of(arrays).num_vertices
    return Shape(sites if turn is None else sites @ turn.T, count, np.float32(states))


def test_states_of_a_shape_lead_back_to_the_same_token(twice):
    """Other samples of one chair: the nearest state is one of the same 2^3 voxels."""
    source, target = (shape_of(*one) for one in twice)
    match = nearest.match(source, target, options=None, seed=0)
    for ours, theirs, rows in (
        (target, source, match.target_to_source),
        (source, target, match.source_to_target),
    ):
        apart = np.linalg.norm(theirs.sites[rows] - ours.sites, axis=1)
        assert (apart < np.sqrt(3) / 8).mean() > 0.99


def test_guided_matching_finds_a_turned_copy_by_its_states(twice):
    """The other samples turned by 90 degrees: their states vote for the turn back."""
    options = Guided(matcher="guided", feature="f")
    turn = turns(options.yaws)[12]
    (arrays, states), (others, found) = twice
    source, target = shape_of(arrays, states), shape_of(others, found, turn)
    match = guided.match(source, target, options, seed=0)
    np.testing.assert_allclose(match.info["rotation_matrix"], turn.T, atol=1e-9)
    apart = np.linalg.norm(
        source.sites[match.target_to_source] - sites_of(others).positions, axis=1
    )
    assert np.median(apart) < 0.03 and np.percentile(apart, 99) < np.sqrt(3) / 8
    # states of other places (mirrored front to back) do not find it
    wrong = states_at_mirrored_sites(others, found)
    lost = guided.match(source, shape_of(others, wrong, turn), options, seed=0)
    apart = np.linalg.norm(source.sites[lost.target_to_source] - sites_of(others).positions, axis=1)
    assert np.median(apart) > 0.1


def states_at_mirrored_sites(arrays, states):
    """Give every site the state of the site nearest to its mirror image in y."""
    sites = sites_of(arrays).positions
    return states[cKDTree(sites).query(sites * [1, -1, 1])[1]]


@pytest.mark.parametrize(
    "change",
    [
        {"layer": 0},
        {"timestep": 3},
        {"guidance": -1},
        {"guidance": 1.0},
        {"noise": 3},
        {"noise": 3, "seed": 9},
        {"normalise": "none"},
        {"untrained": True},
    ],
)
def test_every_option_of_states_matters(weights, latents, change):
    base = {"noise": 3} if "seed" in change else {}
    before, after = states_of(weights, latents, **base), states_of(weights, latents, **change)
    assert any(np.abs(before[i] - after[i]).max() > 1e-3 for i in latents)


def test_states_of_a_site_are_those_of_its_token(weights, latents, flow):
    states = states_of(weights, latents, guidance=-1, normalise="none")
    trained = untrained_network("SLatFlowModel", FLOW, 2)
    arrays = latents["chair_0"]
    rows, cells = slat_single_step(
        trained, arrays["latents"], arrays["cells"], None, SingleStep(layers=(1,), guidance=-1)
    )
    vertices = upstream_of(weights).meshes.read("chair_0")["vertices"]
    for site in (0, len(vertices) - 1):
        distance = np.linalg.norm((cells + 0.5) / 8 - 0.5 - vertices[site], axis=1)
        wanted = rows[0][np.argmin(distance)]
        np.testing.assert_allclose(states["chair_0"][site], wanted, rtol=2e-3, atol=2e-3)


def test_voxel_views_are_features_of_sites(weights):
    upstream = upstream_of({"weights": weights["image"]})
    entry = Views(
        kind="voxel_views", voxel="v", render="r", weights="w", backbone="tiny_vit", image_size=32
    )
    with voxel_views.extractor(entry, upstream) as compute:
        features = compute("chair_0")["site_features"]
    vertices = upstream.meshes.read("chair_0")["vertices"]
    assert features.shape == (len(vertices) + 4096, 96) and features.dtype == np.float16
    cells = upstream.voxels.read("chair_0")["cells"]
    assert 5 < len(np.unique(features, axis=0)) <= len(cells)


def test_what_does_not_fit_is_said(weights, latents):
    with pytest.raises(UserError, match=r"32 voxels per axis, the encoder in weights works on 16"):
        latents_of(weights, resolution=32)
    with pytest.raises(
        UserError, match="^weights: .*holds a SLatFlowModel, a SLatEncoder is needed"
    ):
        latents_of(weights | {"enc": weights["flow"]})
    with pytest.raises(UserError, match="block 7 does not exist"):
        states_of(weights, latents, layer=7)
    narrow = {"chair_0": latents["chair_0"] | {"latents": latents["chair_0"]["latents"][:, :4]}}
    with pytest.raises(UserError, match="4 channels on 16 voxels per axis, the network"):
        states_of(weights, narrow)
    finer = {"chair_0": latents["chair_0"] | {"resolution": np.array([64], np.int32)}}
    with pytest.raises(UserError, match="on 64 voxels per axis"):
        states_of(weights, finer)


def test_a_network_of_other_widths_is_said(weights, tmp_path):
    folder = tmp_path / "enc"
    folder.mkdir()
    args = ENCODER | {"in_channels": 7}
    save_file(untrained_network("SLatEncoder", args, 0).state_dict(), folder / "w.safetensors")
    (folder / "w.json").write_text(json.dumps({"name": "SLatEncoder", "args": args}))
    files = [{"file": f, "sha256": ""} for f in ("w.json", "w.safetensors")]
    (tmp_path / "enc.json").write_text(json.dumps({"files": files}))
    with pytest.raises(UserError, match="tiny_vit gives 96 channels, the encoder in weights"):
        latents_of(weights | {"enc": tmp_path / "enc.json"})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"timestep": 13}, "must not exceed steps"),
        ({"guidance": 2.5}, "needs `render`, `image_encoder` and `backbone`"),
        ({"guidance": -1, "normalise": "released"}, "published"),
    ],
)
def test_options_are_checked(values, words):
    with pytest.raises(ValueError, match=words):
        States(kind="slat_states", latent="l", weights="w", **values)
