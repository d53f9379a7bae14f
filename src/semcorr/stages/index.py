"""Stage `index`: one table of all items of a data set, merged from the manifests of meshes and truth."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from semcorr.datasets.members import base_entry, chunk_of, read_members
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes
from semcorr.store.manifest import Row, read_manifest

# `reason` is the first one on the way: of the mesh, else of the truth; counts are null where there is no mesh
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("category", pa.string()),
        ("chunk", pa.int32()),
        ("meshes", pa.string()),
        ("truth", pa.string()),
        ("reason", pa.string()),
        ("vertices", pa.int64()),
        ("faces", pa.int64()),
    ]
)


def main(job: StageJob) -> None:
    """Write datasets/{dataset}/index.parquet: a row per item, sorted by id; always the same bytes."""
    datasets, name = job.config["datasets"], job.wildcards["dataset"]
    meshes, truth = (rows_of(job.inputs[section]) for section in ("meshes", "truth"))
    chunks = base_entry(datasets, name)["chunks"]
    rows = [
        record(item_id, member.category, chunk_of(item_id, chunks), meshes[item_id], truth[item_id])
        for item_id, member in read_members(datasets, name).items()
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd")
    write_bytes(job.outputs["index"], sink.getvalue().to_pybytes())


def rows_of(manifests: list[Path]) -> dict[str, Row]:
    """Return the rows of all chunks by item id."""
    return {row.id: row for path in manifests for row in read_manifest(path).rows}


def record(item_id: str, category: str, chunk: int, mesh: Row, truth: Row) -> dict[str, Any]:
    """Return one row of the table."""
    shapes = mesh.shapes or {}
    return {
        "id": item_id,
        "category": category,
        "chunk": chunk,
        "meshes": mesh.status,
        "truth": truth.status,
        "reason": mesh.reason or truth.reason,
        "vertices": shapes["vertices"][0] if shapes else None,
        "faces": shapes["faces"][0] if shapes else None,
    }


if __name__ == "__main__":
    run_alone(main, main.__doc__)
