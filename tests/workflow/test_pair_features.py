"""`pair` with methods that rest on networks: what is computed, which method `auto` takes and why."""

import functools
import http.server
import json
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import small
import small_mirror
import trimesh

from semcorr.assets.table import COLUMNS, asset_keys
from semcorr.config.load import dump, validate
from semcorr.datasets.procedural import generate
from semcorr.errors import UserError
from semcorr.features import image_networks
from semcorr.stages import pair
from semcorr.stages.one_pair.memory_chain import MemoryChain
from semcorr.stages.one_pair.method import AUTO_ORDER, PairMethods
from semcorr.stages.running.job import Runtime, StageJob
from semcorr.store.chunk import ChunkReader

# weights of the three methods of `auto`, in its order: downloadable, by mirror only, shipped
KEYS = ("dinov2_vits14", "mobilenetv2_imagenet", "image_encoder_tiny")
FILE = "weights.pth"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """Bytes of a tiny image network with random weights."""
    root = small_mirror.write_mirror(tmp_path_factory.mktemp("made"))
    return (root / small.ENCODER / "dinov2_vits14_pretrain.pth").read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with two meshes, an empty mirror, and a table of assets without hashes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMCORR_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror").mkdir()
    for index in (0, 1):
        mesh = generate("chair", 5, index).mesh
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(f"chair_{index}.ply")
    write_table(tmp_path, monkeypatch, closed_port())
    return tmp_path


def write_table(folder, monkeypatch, port):
    urls = (f"http://127.0.0.1:{port}/{FILE}", "", f"file:{folder}/shipped.pth")
    rows = [
        f"{k},weights,{FILE},{url},,,,,9000000,CC0-1.0,no,"
        for k, url in zip(KEYS, urls, strict=True)
    ]
    (folder / "assets.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    monkeypatch.setattr("semcorr.assets.table.default_table", lambda: folder / "assets.csv")


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def put(folder, key, encoder):
    """Give the mirror the weights of a key."""
    (folder / "mirror" / key).mkdir()
    (folder / "mirror" / key / FILE).write_bytes(encoder)


def configuration(only=AUTO_ORDER, **changes):
    """The small configuration with the methods of `auto` on tiny networks."""
    features = {k: small.CONFIG["features"]["lifted"] | {"weights": k} for k in KEYS}
    guided = {
        name: {"matcher": "guided", "feature": key, "yaws": 4}
        for name, key in zip(AUTO_ORDER, KEYS, strict=True)
        if name in only
    }
    keep = {"seed": 0, "device": "cpu", "renders": {"views": small.CONFIG["renders"]["views"]}}
    return validate(keep | {"features": features, "methods": guided} | changes, asset_keys())


def choose(folder, asked="auto", offline=True, config=None):
    config = config or configuration()
    return PairMethods(config, Runtime(offline=offline), folder / "results").choose(asked)


@pytest.fixture
def no_network(monkeypatch):
    def connect(*_):
        pytest.fail("connected although offline")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)


# -- the order of `auto` ----------------------------------------------------------------------


def test_auto_takes_the_first_whose_weights_are_in_the_mirror(folder, encoder, no_network):
    for number, key in reversed(list(enumerate(KEYS))):
        put(folder, key, encoder)
        choice = choose(folder)
        assert choice.name == AUTO_ORDER[number]
        assert choice.reasons[-1] == f"{choice.name}: weights are here"
        assert [reason.split(":")[0] for reason in choice.reasons] == list(AUTO_ORDER[: number + 1])


def test_auto_says_why_the_others_were_passed_over(folder, encoder, no_network):
    (folder / "shipped.pth").write_bytes(encoder)
    choice = choose(folder)
    assert choice.name == "guided_tiny" and choice.weights == {"image_encoder_tiny"}
    assert "offline is set" in choice.reasons[0] and "dinov2_vits14" in choice.reasons[0]
    assert "the mirror does not have it" in choice.reasons[1]
    assert all("\n" not in reason for reason in choice.reasons)


def test_auto_without_any_weights_names_all_and_the_way_out(folder, no_network):
    with pytest.raises(UserError, match="method=spatial_yaw needs no weights") as error:
        choose(folder)
    assert all(f"{name}: " in str(error.value) for name in AUTO_ORDER)
    assert "restore the file with git" in str(error.value)


def test_auto_passes_over_methods_that_the_configuration_lacks(folder, encoder, no_network):
    put(folder, KEYS[2], encoder)
    choice = choose(folder, config=configuration(only=AUTO_ORDER[2:]))
    assert choice.name == "guided_tiny"
    assert choice.reasons[:2] == tuple(f"{n}: not in the configuration" for n in AUTO_ORDER[:2])


def test_auto_online_falls_back_when_nobody_answers(folder, encoder):
    put(folder, KEYS[1], encoder)
    choice = choose(folder, offline=False)
    assert choice.name == "guided_mobilenetv2"
    assert "no answer from 127.0.0.1" in choice.reasons[0]


def test_auto_online_fetches_the_best(folder, encoder, monkeypatch):
    (folder / "served").mkdir()
    (folder / "served" / FILE).write_bytes(encoder)
    put(folder, KEYS[1], encoder)
    handler = functools.partial(QuietHandler, directory=str(folder / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        write_table(folder, monkeypatch, server.server_port)
        assert choose(folder, offline=False).name == "guided_dinov2_s"
        server.shutdown()
    # fetched once: now it is here without network, too
    assert choose(folder, offline=True).name == "guided_dinov2_s"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_method_that_was_asked_for_is_taken_or_refused(folder, encoder, no_network):
    put(folder, KEYS[0], encoder)
    put(folder, KEYS[1], encoder)
    choice = choose(folder, "guided_mobilenetv2")
    assert (choice.name, choice.reasons) == (
        "guided_mobilenetv2",
        ("guided_mobilenetv2: asked for",),
    )
    with pytest.raises(UserError, match="image_encoder_tiny"):
        choose(folder, "guided_tiny")
    with pytest.raises(UserError, match="there is no such method; use auto or one of: guided_"):
        choose(folder, "guided_dino")


def test_a_method_on_an_untrained_model_says_so(folder, no_network):
    models = {"encoder": small.CONFIG["models"]["encoder"]}
    datasets = {"extra": small.CONFIG["datasets"]["extra"]}
    config = configuration(models=models, datasets=datasets,
                           renders={n: small.CONFIG["renders"][n] for n in ("views", "placed")},
                           features={"lifted": small.CONFIG["features"]["lifted"] | {"weights": "encoder"}},
                           methods={"mine": {"matcher": "nearest", "feature": "lifted"}})  # fmt: skip
    with pytest.raises(UserError, match="encoder is not trained yet: snakemake -c all models"):
        choose(folder, "mine", config=config)


# -- whole runs -------------------------------------------------------------------------------


def pages_of(config, **keys):
    runtime = Runtime(device="cpu", offline=True)
    return list(pair.match_pairs(StageJob({}, {}, keys, config=dump(config), runtime=runtime)))


def run(config, **keys):
    (page,) = pages_of(config, **{"source": "chair_0.ply", "target": "chair_1.ply"} | keys)
    return page, json.loads((page.parent / "scores.json").read_text())


def test_pair_with_auto_tells_the_method_its_reasons_and_its_limits(folder, encoder, no_network):
    (folder / "shipped.pth").write_bytes(encoder)
    page, scores = run(configuration())
    assert scores["method"] == "guided_tiny"
    assert scores["options"]["feature"] == KEYS[2]
    assert [reason.split(":")[0] for reason in scores["reasons"]] == list(AUTO_ORDER)
    assert any("tiny weights" in warning for warning in scores["warnings"])
    assert "tiny weights" in page.read_text()
    to_source = np.load(page.parent / "target_to_source.npy")
    assert scores["matched"] == pytest.approx((to_source >= 0).mean(), abs=1e-6)
    assert len(np.unique(to_source)) > 20
    put(folder, KEYS[0], encoder)
    _, scores = run(configuration())
    assert (scores["method"], len(scores["reasons"])) == ("guided_dinov2_s", 1)
    assert not any("tiny weights" in warning for warning in scores["warnings"])


def test_a_list_of_pairs_loads_the_network_once(folder, encoder, no_network, monkeypatch):
    put(folder, KEYS[0], encoder)
    loaded = []
    real = image_networks.load_backbone
    monkeypatch.setattr(
        image_networks, "load_backbone", lambda *a, **k: loaded.append(a[0]) or real(*a, **k)
    )
    (folder / "list.csv").write_text(
        "source,target\nchair_0.ply,chair_1.ply\nchair_1.ply,chair_0.ply\n"
    )
    pages = pages_of(configuration(), pairs="list.csv")
    assert len(pages) == 2 and len(loaded) == 1
    alone, _ = run(configuration(), source="chair_1.ply", target="chair_0.ply", out="alone")
    in_list, by_itself = (np.load(p.with_name("target_to_source.npy")) for p in (pages[1], alone))
    np.testing.assert_array_equal(in_list, by_itself)


# -- the chain in memory ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    ["nearest", "guided", "states", "states_yaw2", "shapes", "slat_states", "voxel_views"],
)
def test_the_chain_in_memory_gives_what_the_stages_store(prepared, method):
    """Views, voxels, latents and features of `pair` are those of the workflow, to the bit."""
    root = prepared.results
    config = validate(small.config(), asset_keys())
    entry = config.methods[method]
    meshes, features = (
        ChunkReader(root / f"{name}/pack/0.json")
        for name in ("meshes", f"features/{entry.feature}")
    )
    arrays = {item_id: meshes.read(item_id) for item_id in ("c", "d")}
    chain = MemoryChain(
        config, Runtime(device="cpu"), lambda name: Path(root / f"assets/{name}.json")
    )
    chain.take(arrays)
    for item_id in ("c", "d"):
        shape, stored = chain.shape(entry, item_id), features.read(item_id)
        for name in ("site_features", "grids"):
            assert (getattr(shape, name, None) is not None) == (name in stored), name
            if name in stored:
                np.testing.assert_array_equal(getattr(shape, name), stored[name].astype(np.float32))
        assert shape.name == item_id and shape.num_vertices == len(arrays[item_id]["vertices"])
