"""Copy weights that the workflow trained into `resources/weights/` and the asset table.

    python setup/ship_weights.py ss_vae=ss_vae_tiny ss_flow=ss_flow_tiny

reads `results/models/ss_vae/{model.json,weights.safetensors}`, writes
`resources/weights/ss_vae_tiny.{json,safetensors}` and the two rows `ss_vae_tiny` of
`config/assets.csv` with the size and the sha256 of what was copied. No rule of the workflow writes
there: what is shipped changes by this command and a commit.
"""

import argparse
import csv
import hashlib
import io
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 12_000_000  # of all weights named together
LICENCE = "CC0-1.0"
# file of a trained model -> suffix of the shipped copy
FILES = {"model.json": ".json", "weights.safetensors": ".safetensors"}


def read_rows(table):
    """Return the column names and the rows of the asset table."""
    with table.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        return list(reader.fieldnames), list(reader)


def with_row(columns, rows, key, file, content):
    """Return the rows with the one of `key` and `file` made to describe `content` (bytes)."""
    for row in rows:
        if row["key"] == key and not row["url"].startswith("repo:"):
            raise SystemExit(f"asset {key!r} is not a shipped one: {row['url'] or 'mirror only'}")
    found = [row for row in rows if row["key"] == key and row["file"] == file]
    row = found[0] if found else dict.fromkeys(columns, "")
    described = f"trained by this workflow on procedural shapes: {key.removesuffix('_tiny')}"
    row.update(
        key=key,
        kind="weights",
        file=file,
        url=f"repo:resources/weights/{file}",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=str(len(content)),
        max_bytes="",
        licence=row["licence"] or LICENCE,
        non_commercial="no",
        description=row["description"] or described,
    )
    return rows if found else [*rows, row]


def write_whole(path, content):
    """Write bytes to a neighbouring file and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def ship(pairs, root, write):
    """Copy and enter all pairs (model, key), or none if something is missing or too large."""
    contents = {}
    for model, key in pairs:
        for name, suffix in FILES.items():
            source = root / "results" / "models" / model / name
            if not source.is_file():
                raise SystemExit(f"{source} is missing: train it with snakemake -c all {source}")
            contents[key, key + suffix] = source.read_bytes()
    total = sum(map(len, contents.values()))
    if total > MOST_BYTES:
        raise SystemExit(f"{total} bytes of weights together, more than {MOST_BYTES}")
    table = root / "config" / "assets.csv"
    columns, rows = read_rows(table)
    for (key, file), content in contents.items():
        rows = with_row(columns, rows, key, file, content)
    for (_, file), content in contents.items():
        write_whole(root / "resources" / "weights" / file, content)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(table, text.getvalue().encode())
    for (_, file), content in contents.items():
        write(f"resources/weights/{file}: {len(content) / 1e6:.2f} MB\n")


def parse_pair(text):
    """Turn `model=key` into a pair."""
    model, _, key = text.partition("=")
    if not model or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not model=key")
    return model, key


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", type=parse_pair, metavar="MODEL=KEY")
    ship(parser.parse_args(arguments).pairs, ROOT, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
