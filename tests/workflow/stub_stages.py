"""Stages that compute nothing: valid stores of tiny items at once, behind the real rules.

`simulation.install` puts them in the place of the scripts of a copy of the repository. What costs hours on
a large set (downloads, views, networks, maps) is replaced; planning, stores, manifests, scores and tables are
real. Maps lead every site to the site of the same number, so that scores are known.
"""

import hashlib
import shutil
from dataclasses import replace

import numpy as np

from semcorr.datasets.context import TRUTH_RAGGED, Truth, encode, truth_to_arrays
from semcorr.datasets.objaverse import RAW_RAGGED, raw_arrays
from semcorr.geometry.mesh import Mesh
from semcorr.geometry.mesh_arrays import RAGGED, to_arrays
from semcorr.stages.matched.pose_pairs import pair_id
from semcorr.store.chunk import ChunkReader
from semcorr.store.files import write_json
from semcorr.store.items import content_hash
from semcorr.store.manifest import Manifest, Row
from semcorr.store.pack import pack
from semcorr.store.tally import TALLY

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32) - 0.5
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip
SAMPLES = 32
SITES = len(CORNERS) + SAMPLES
MAPS = ("target_to_source", "source_to_target", "confidence", "info")


def write(job, arrays_of, ragged, ids=None):
    """Write the chunk from memory, without the part folder that a long job needs."""
    chunk = job.chunk_job(ids=ids, ragged=frozenset(ragged), frame="simulated", units="simulated")
    items = {item_id: arrays_of(item_id) for item_id in sorted(chunk.ids)}
    rows = [
        Row(i, "ok", "", content_hash(a), {name: list(v.shape) for name, v in sorted(a.items())})
        for i, a in items.items()
    ]
    shutil.rmtree(chunk.store, ignore_errors=True)
    about = {"schema": 1, "key": chunk.key, "cfg": chunk.cfg, "inputs": chunk.inputs}

    def load(item_id, names):
        return {name: items[item_id][name] for name in names or items[item_id]}

    pack(chunk.store, list(items), load, chunk.ragged, about | chunk.attributes)
    TALLY.items += len(items)
    Manifest(tuple(rows)).write(chunk.manifest)


def number_of(item_id, kinds):
    """Return a number below `kinds` that depends on the id alone."""
    return hashlib.sha256(f"kind {item_id}".encode()).digest()[0] % kinds


def fetch_asset(job):
    job.outputs["files"].mkdir(parents=True, exist_ok=True)
    write_json(job.outputs["manifest"], {"key": job.wildcards["key"], "simulated": True})


def raw(job):
    job = replace(job, cfg=job.cfg | {"global_seed": 0})  # downloads know of no seed

    def compute(item_id):
        data = item_id.encode()
        return raw_arrays({"path": "simulated.glb"}, data, hashlib.sha256(data).hexdigest())

    write(job, compute, RAW_RAGGED)


def meshes(job):
    box = to_arrays(Mesh(vertices=CORNERS, faces=FACES), np.eye(4), 0, "box")
    for name in ("sample_face", "sample_barycentric"):
        box[name] = box[name][:SAMPLES]

    def compute(item_id):
        scale = np.float32(1 - number_of(item_id, 16) / 64)
        return box | {"vertices": box["vertices"] * (1, 1, scale)}

    write(job, compute, RAGGED)


def truth(job):
    """Two parts, low and high; one object in 16 has none."""

    def compute(item_id):
        known = number_of(item_id, 16) > 0
        labels = np.repeat([0, 1], 6) if known else np.full(12, -1)
        return truth_to_arrays(Truth(face_labels=labels, label_names=("low", "high")))

    write(job, compute, TRUTH_RAGGED)


def render(job):
    write(job, lambda i: {"rgb": np.full((2, 4, 4, 3), number_of(i, 256), np.uint8)}, ())


def features(job):
    ChunkReader(job.input("renders"))  # the chain is read, not only planned
    write(job, lambda i: {"site_features": np.ones((SITES, 2), np.float16)}, {"site_features"})


def match(job):
    sources = job.cfg["sources"]
    pairs = tuple(sorted(pair_id(s, t) for t in job.ids for s in sources if s != t))
    same = np.arange(SITES, dtype=np.int32)
    arrays = (same, same, np.ones(SITES, np.float16), encode({}))
    write(job, lambda i: dict(zip(MAPS, arrays, strict=True)), MAPS, ids=pairs)
