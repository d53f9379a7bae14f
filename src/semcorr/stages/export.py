"""Stage `export`: the shapes of one method in one pose as coloured meshes."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from semcorr.geometry.frames import axes_rotation
from semcorr.report.colours import carried_colours, label_colours, position_colours
from semcorr.report.exports import write_mesh
from semcorr.stages.job import StageJob, run_alone
from semcorr.stages.pose_pairs import PosePairs
from semcorr.stages.score_coseg import part_names, shape_labels
from semcorr.store.files import sha256_file, write_json
from semcorr.transfer.labels import transfer_labels

SCHEMA = 1


def main(job: StageJob) -> None:
    """Write exports/{task}/{experiment}/{method}/{pose}/ and, last, the manifest beside it.

    `map/{source}.glb` shows the source coloured by position, `map/{source}/{target}.glb` the target in the
    colours of its matches. The same under `parts/` shows part labels, where the source has any.
    """
    folder = job.outputs["meshes"]
    shutil.rmtree(folder, ignore_errors=True)
    pairs = PosePairs.open(**{name: job.inputs[name] for name in ("matches", "meshes", "truth")})
    rows = list(_written(pairs, folder))
    write_json(job.outputs["manifest"], _manifest(job, rows))


def _written(pairs: PosePairs, folder: Path) -> Iterator[dict[str, str]]:
    """Write all meshes; yield a row of each: file, sha256, what, source, target."""
    names = part_names(pairs)
    for source, target, arrays in pairs.pairs():
        if arrays is None:
            continue
        own = position_colours(pairs.sites(source).positions)
        map_to_source = arrays["target_to_source"]
        colours = {"map": (own, carried_colours(own, map_to_source))}
        labels = shape_labels(pairs, source, names)
        if labels is not None:
            carried = transfer_labels(labels, map_to_source)
            colours["parts"] = (label_colours(labels), label_colours(carried))
        for what, (of_source, of_target) in colours.items():
            home = folder / what
            for item_id, path, colour in (
                (source, home / f"{stem_of(source)}.glb", of_source),
                (target, home / stem_of(source) / f"{stem_of(target)}.glb", of_target),
            ):
                if not path.exists():  # a source is shown once, whatever the number of targets
                    _write(pairs, item_id, path, colour)
                    yield {
                        "file": path.relative_to(folder).as_posix(),
                        "sha256": sha256_file(path),
                        "what": what,
                        "source": source,
                        "item": item_id,
                    }


def _write(pairs: PosePairs, item_id: str, path: Path, site_colours: np.ndarray) -> None:
    """Write the vertices of a shape, which come first among its sites, in the frame of glTF."""
    sites = pairs.sites(item_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    world_from_gltf = axes_rotation("+y", "+z")
    vertices = sites.positions[: sites.num_vertices] @ world_from_gltf
    write_mesh(path, vertices, sites.faces, site_colours[: sites.num_vertices])


def _manifest(job: StageJob, rows: list[dict[str, str]]) -> dict:
    places = {name: job.wildcards[name] for name in ("task", "experiment", "method", "pose")}
    manifests = {name: job.inputs[name] for name in ("matches", "meshes", "truth")}
    inputs = {str(p): sha256_file(p) for paths in manifests.values() for p in paths}
    frame = "glTF: Y up, front +Z; longest side 1, centred; vertex order of the file"
    return {"schema": SCHEMA, **places, "frame": frame, "files": rows, "inputs": inputs}


def stem_of(item_id: str) -> str:
    """Return an item's file name without suffix; ids may hold what file names must not."""
    clean = re.sub(r"[^\w.-]", "_", item_id)
    if clean == item_id and not item_id.startswith("."):
        return clean
    return f"item_{clean.lstrip('.')}_{hashlib.sha256(item_id.encode()).hexdigest()[:8]}"


if __name__ == "__main__":
    run_alone(main, main.__doc__)
