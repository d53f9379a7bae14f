"""Stage `retry_failed`: make every chunk with failed rows ready to compute just those again."""

import argparse
import logging
import sys
from pathlib import Path

from semcorr.store.chunk import retry_failed
from semcorr.store.manifest import read_manifest

log = logging.getLogger(__name__)

SECTIONS = "meshes truth renders masks depth voxels latents features matches".split()


def run(results: Path) -> int:
    """Reset all chunks that hold rows failed by themselves; return how many rows that are.

    Rows that failed because of an upstream row are computed again anyway when that row changes.
    """
    total = 0
    for section in SECTIONS:
        for manifest in sorted((results / section).rglob("*.json")):
            store = manifest.with_suffix(".zarr")
            if not (manifest.stem.isdigit() and store.is_dir()):
                continue
            rows = read_manifest(manifest).rows
            if any(row.status not in ("ok", "upstream_failed") for row in rows):
                count = retry_failed(store, manifest)
                log.info("%s: %d rows will be computed again", manifest, count)
                total += count
    return total


def main() -> None:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    total = run(arguments.results)
    sys.stdout.write(
        f"{total} rows will be computed again by the next run\n" if total else "no failed rows\n"
    )


if __name__ == "__main__":
    main()
