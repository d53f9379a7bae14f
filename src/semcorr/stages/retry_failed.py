"""Stage `retry_failed`: make every chunk with failed rows ready to compute just those again."""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from semcorr.config.root import EXPERIMENT_SECTIONS, LOOK_SECTIONS
from semcorr.store.chunk import retry_failed
from semcorr.store.files import read_json
from semcorr.store.manifest import read_manifest
from semcorr.store.pack import PackedReader

log = logging.getLogger(__name__)

SECTIONS = "raw meshes truth renders masks depth voxels latents features matches labels".split()
# Folders of results that name their inputs: scores and tables by task, decoded latents and samples,
# coloured meshes, trained networks
RESULTS = (*EXPERIMENT_SECTIONS, *LOOK_SECTIONS, "exports", "models")


def run(results: Path) -> int:
    """Reset all chunks that hold rows failed by themselves; return how many rows that are.

    Whatever was computed from such a chunk, directly or not, loses its manifest (or its table), so that the
    next run plans it: a workflow engine does not ask for missing files in the middle of a chain whose end is
    there. Rows that failed because of an upstream row are computed again anyway when that row changes.
    """
    failed = [(manifest, store) for manifest, store in chunks(results) if _has_failed(manifest)]
    resting = _resting_on({manifest for manifest, _ in failed}, dict(_edges(results)))
    total = 0
    for manifest, store in failed:
        count = retry_failed(store, manifest)
        log.info("%s: %d rows will be computed again", manifest, count)
        total += count
    for path in sorted(resting):
        path.unlink(missing_ok=True)
    return total


def chunks(results: Path) -> Iterator[tuple[Path, Path]]:
    """Yield (manifest, store) of all finished chunks."""
    for section in SECTIONS:
        for manifest in sorted((results / section).rglob("*.json")):
            store = manifest.with_suffix(".zarr")
            if manifest.stem.isdigit() and store.is_dir():
                yield manifest, store


def _has_failed(manifest: Path) -> bool:
    rows = read_manifest(manifest).rows
    return any(row.status not in ("ok", "upstream_failed") for row in rows)


def _edges(results: Path) -> Iterator[tuple[Path, set[Path]]]:
    """Yield (result, the files it was computed from) of chunks, indices and what RESULTS names."""
    for manifest, store in chunks(results):
        yield manifest, _inside(results, PackedReader(store).attributes.get("inputs", {}))
    for path in sorted((results / "datasets").glob("*/index.parquet")):
        sections = (results / section / path.parent.name for section in ("meshes", "truth"))
        yield path, {manifest for folder in sections for manifest in folder.glob("*.json")}
    for folder in RESULTS:
        for path in sorted((results / folder).rglob("*.json")):
            yield path, _inside(results, read_json(path).get("inputs", {}))


def _inside(results: Path, inputs: dict[str, str]) -> set[Path]:
    # inputs are named as seen from the folder that holds results/
    return {results.parent / path for path in inputs}


def _resting_on(roots: set[Path], edges: dict[Path, set[Path]]) -> set[Path]:
    found: set[Path] = set()
    waiting = {p.resolve() for p in roots}
    resolved = {path: {i.resolve() for i in inputs} for path, inputs in edges.items()}
    while waiting:
        reached = {path for path, inputs in resolved.items() if inputs & waiting} - found
        found |= reached
        waiting = {path.resolve() for path in reached}
    return found - roots


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        total = run(arguments.results)
    except (ValueError, json.JSONDecodeError) as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(
        f"{total} rows will be computed again by the next run\n" if total else "no failed rows\n"
    )


if __name__ == "__main__":
    main()
