"""Stage `export`: the shapes of one method in one pose as coloured meshes."""

import hashlib
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semcorr.datasets import members as item_lists
from semcorr.datasets.attribution import NO_DERIVATIVES, Credit, credit_of, credits_csv
from semcorr.errors import ItemError
from semcorr.geometry.frames import axes_rotation
from semcorr.report.exports import write_mesh
from semcorr.report.textured import textured_glb_bytes
from semcorr.stages.exports.colours import Colourings, Shown
from semcorr.stages.exports.textures import Textures
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import sha256_file, write_json

log = logging.getLogger(__name__)

SCHEMA = 3
CREDITS = "CREDITS.csv"


def main(job: StageJob) -> None:
    """Write exports/{task}/{experiment}/{method}/{pose}/ and, last, the manifest beside it.

    `{colouring}/{source}.{format}` shows the source, `{colouring}/{source}/{target}.{format}` the target, for
    every colouring and format of the configuration. Colours lie on vertices; a texture is a picture in
    glb. What a pair lacks (labels, a texture) is left out; what cannot be made is in `failed`.
    `CREDITS.csv` names the maker of every shape; shapes whose licence forbids derivatives, and what has
    their texture, are in `left_out`.
    """
    folder = job.outputs["meshes"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifests = {name: job.inputs[name] for name in ("matches", "meshes", "truth")}
    pairs = PosePairs.open(**manifests, part_names=job.cfg["part_names"])
    credits = _credits(job)
    forbidden = set() if job.cfg["no_derivatives"] else _without_derivatives(credits)
    (folder / CREDITS).write_text(credits_csv(credits, forbidden), encoding="utf-8")
    rows = list(_written(pairs, folder, job.cfg, forbidden))
    left_out = [
        {"item": c.item, "licence": c.licence, "reason": NO_DERIVATIVES}
        for c in credits
        if c.item in forbidden
    ]
    write_json(job.outputs["manifest"], _manifest(job, rows, left_out))


def _credits(job: StageJob) -> list[Credit]:
    """Return the credits of all sources and targets, as the item lists of their sets say."""
    experiment = job.config[job.wildcards["task"]][job.wildcards["experiment"]]
    datasets, pose = job.config["datasets"], job.wildcards["pose"]
    found: dict[str, Credit] = {}
    for name in {experiment[poses].get(pose) for poses in ("poses", "source_poses")} - {None}:
        members = item_lists.read_members(datasets, name)
        found |= {i: credit_of(datasets, name, members[i]) for i in job.ids if i in members}
    return [found[item_id] for item_id in sorted(found)]


def _without_derivatives(credits: list[Credit]) -> set[str]:
    return {credit.item for credit in credits if not credit.allows_derivatives}


def _written(
    pairs: PosePairs, folder: Path, cfg: dict[str, Any], forbidden: set[str]
) -> Iterator[dict[str, Any]]:
    """Write all meshes; yield a row of each: file, sha256, what, source, item, and its own facts."""
    textures = Textures(pairs, cfg["texture_size"], cfg["padding"])
    colourings = Colourings(pairs, textures, cfg["colourings"])
    for source, target, arrays in pairs.pairs():
        if arrays is None:
            continue
        for shown in colourings.of(source, target, arrays):
            if shown.item in forbidden or (shown.texture and source in forbidden):
                continue
            home = folder / shown.what
            stem = home / stem_of(source)
            if shown.item == target:
                stem = stem / stem_of(target)
            for suffix in cfg["formats"]:
                path = stem.parent / f"{stem.name}.{suffix}"
                if path.exists():  # a source is shown once, whatever the number of targets
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                row = {"what": shown.what, "source": source, "item": shown.item} | shown.facts
                try:
                    row |= _write(pairs, textures, shown, path)
                except ItemError as error:
                    log.warning("%s: %s", path.relative_to(folder), error)
                    yield row | {"reason": str(error)}
                    continue
                file = path.relative_to(folder).as_posix()
                yield {"file": file, "sha256": sha256_file(path), **row}


def _write(pairs: PosePairs, textures: Textures, shown: Shown, path: Path) -> dict[str, Any]:
    """Write a shape in the frame of glTF; return what the manifest says of a texture.

    The vertices of a shape come first among its sites.
    """
    sites = pairs.sites(shown.item)
    vertices = sites.positions[: sites.num_vertices] @ axes_rotation("+y", "+z")
    if shown.texture is None:
        write_mesh(path, vertices, sites.faces, shown.site_colours[: sites.num_vertices])
        return {}
    source, follow = shown.texture
    if path.suffix == ".ply":
        colours = textures.at_vertices(source, shown.item, follow)
        write_mesh(path, vertices, sites.faces, colours)
        return {}
    baked = textures.baked(source, shown.item, follow)
    content = textured_glb_bytes(vertices, sites.faces, baked.corner_uvs, baked.picture)
    path.write_bytes(content)
    return {
        "unwrapped": textures.atlas(shown.item).reason or None,
        "coverage": round(baked.coverage, 6),
    }


def _manifest(
    job: StageJob, rows: list[dict[str, Any]], left_out: list[dict[str, Any]]
) -> dict[str, Any]:
    places = {name: job.wildcards[name] for name in ("task", "experiment", "method", "pose")}
    manifests = {name: job.inputs[name] for name in ("matches", "meshes", "truth")}
    inputs = {str(p): sha256_file(p) for paths in manifests.values() for p in paths}
    frame = "glTF: Y up, front +Z; longest side 1, centred; vertex order of the file"
    frame += " (with a texture: split at seams)"
    files = [row for row in rows if "file" in row]
    failed = [row for row in rows if "file" not in row]
    credits = {"file": CREDITS, "sha256": sha256_file(job.outputs["meshes"] / CREDITS)}
    head = {"schema": SCHEMA, **places, "frame": frame, "credits": credits}
    return head | {"files": files, "failed": failed, "left_out": left_out, "inputs": inputs}


def stem_of(item_id: str) -> str:
    """Return an item's file name without suffix; ids may hold what file names must not.

    One that ends as a file does is no name either: its folder would lie where the file of another is.
    """
    clean = re.sub(r"[^\w.-]", "_", item_id)
    if clean == item_id and not item_id.startswith(".") and not item_id.endswith((".ply", ".glb")):
        return clean
    return f"item_{clean.lstrip('.')}_{hashlib.sha256(item_id.encode()).hexdigest()[:8]}"


if __name__ == "__main__":
    run_alone(main, main.__doc__)
