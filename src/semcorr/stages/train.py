"""Stage `train`: one network (or encoder and decoder) by the objective of its kind."""

import csv
import io
import json
import logging
import shutil
from functools import partial
from importlib import import_module
from pathlib import Path

import torch
from safetensors.torch import save

from semcorr.config.load import entry_of
from semcorr.errors import UserError
from semcorr.geometry.mesh_arrays import from_arrays
from semcorr.networks.devices import device_of
from semcorr.stages.coverage import check_manifests
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.stages.running.row_blocks import RowBlocks
from semcorr.store.chunk import ChunkReader
from semcorr.store.files import digest, sha256_file, write_bytes, write_json
from semcorr.store.lock import FolderLock
from semcorr.training.loop import Schedule, Training
from semcorr.training.materials import Materials, RenderedShape

log = logging.getLogger(__name__)

# Raised by hand when the loop or the data change: an edit must not cost hours of training
VERSION = 1
SCHEMA = 1
LICENCE = "CC0-1.0"
# Inputs that are not another network's weights
SHAPE_INPUTS = ("meshes", "renders")


def main(job: StageJob) -> None:
    """Write models/{model}: weights.safetensors, history.csv, and model.json last.

    Raises:
        UserError: too few shapes of the training set were rendered.
    """
    check_manifests(job.inputs.get("renders", []), job.runtime.min_coverage)
    entry = entry_of("models", job.cfg)
    module = import_module(f"semcorr.training.{entry.kind}")
    part = part_folder(job)
    part.parent.mkdir(parents=True, exist_ok=True)
    for folder in sorted(part.parent.glob(f"{part.name.split('.part-')[0]}.part-*")):
        if folder != part:
            with FolderLock(folder):
                shutil.rmtree(folder, ignore_errors=True)
    torch.set_num_threads(job.runtime.threads)
    with FolderLock(part):
        materials = materials_of(job, part)
        objective = module.objective(entry, materials)
        schedule = Schedule.of(entry, checkpoint_seconds(job))
        name = job.wildcards.get("model", entry.kind)
        rows = Training(objective, schedule, part, materials.device, name).run()
        write_model(job, objective, rows)
        shutil.rmtree(part, ignore_errors=True)


def part_folder(job: StageJob) -> Path:
    """Return the folder of blocks and checkpoint; another one for all that changes the result."""
    key = digest([job.cfg, job.code, sorted(job.input_hashes().values())])
    folder = job.outputs["manifest"].parent
    return folder.with_name(f"{folder.name}.part-{key[:32]}")


def checkpoint_seconds(job: StageJob) -> float:
    """Return the time between checkpoints, which is no parameter: it changes no result."""
    models = job.config.get("models", {})
    name = job.wildcards.get("model")
    return models.get(name, {}).get(
        "checkpoint_seconds", entry_of("models", job.cfg).checkpoint_seconds
    )


def materials_of(job: StageJob, part: Path) -> Materials:
    """Return the inputs of a training."""
    return Materials(
        seed=job.cfg["global_seed"],
        cached=RowBlocks(part, job.runtime.threads),
        device=device_of(job.runtime.device),
        weights={
            name: job.input(name)
            for name in job.inputs
            if name not in SHAPE_INPUTS and not name.endswith("_store")
        },
        rendered=(lambda: rendered_shapes(job)) if "renders" in job.inputs else None,
    )


def rendered_shapes(job: StageJob) -> list[RenderedShape]:
    """Return the rendered shapes of all chunks, in the order of their ids; views are read when asked for.

    Raises:
        UserError: no shape was rendered.
    """
    found = []
    for renders_path, meshes_path in zip(job.inputs["renders"], job.inputs["meshes"], strict=True):
        renders, meshes = ChunkReader(renders_path), ChunkReader(meshes_path)
        found += [
            RenderedShape(i, from_arrays(meshes.read(i)), partial(renders.read, i))
            for i in renders.ids
        ]
    if not found:
        raise UserError(f"{job.inputs['renders'][0]}: no shape of the training set was rendered")
    return sorted(found, key=lambda shape: shape.id)


def write_model(job: StageJob, objective, rows: list[dict[str, float]]) -> None:
    """Write weights in half precision, curves, and the description last; always the same bytes."""
    folder = job.outputs["manifest"].parent
    records = []
    networks = objective.files()
    for product in objective.products:
        state = networks[product.file].state_dict()
        half = {
            key: (v.half() if v.is_floating_point() else v).cpu().contiguous()
            for key, v in sorted(state.items())
        }
        path = folder / product.file
        write_bytes(path, save(half))
        record = {"file": product.file, "name": product.name, "args": product.args}
        records.append(record | {"sha256": sha256_file(path), "bytes": path.stat().st_size})
    write_bytes(job.outputs["history"], table(rows).encode())
    first = {key: value for key, value in records[0].items() if key != "file"}
    scores = {
        k.removeprefix("held_out_"): v for k, v in rows[-1].items() if k.startswith("held_out_")
    }
    model = {
        "schema": SCHEMA,
        **first,
        "others": records[1:],
        "config": job.cfg,
        "scores": {name: round(value, 6) for name, value in scores.items()},
        "licence": LICENCE,
        "inputs": job.input_hashes(),
    }
    write_json(job.outputs["manifest"], model)
    log.info("%s: %s", job.outputs["manifest"], json.dumps(model["scores"], sort_keys=True))


def table(rows: list[dict[str, float]]) -> str:
    """Return the history as CSV; a value that a row lacks (scores between validations) is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return text.getvalue()


if __name__ == "__main__":
    run_alone(main, main.__doc__)
