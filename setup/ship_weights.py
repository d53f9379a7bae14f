"""Copy weights that the workflow trained into `resources/weights/` and the asset table.

    python setup/ship_weights.py ss_vae=ss_vae_tiny ss_vae:decoder=ss_vae_dec_tiny

reads `results/models/ss_vae/{model.json,weights.safetensors}`, writes
`resources/weights/ss_vae_tiny.{json,safetensors}` and the two rows `ss_vae_tiny` of
`config/assets.csv` with the size and the sha256 of what was copied; likewise `decoder.safetensors`
with what model.json says of it. No rule of the workflow writes
there: what is shipped changes by this command and a commit.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 12_000_000  # of all weights named together
LICENCE = "CC0-1.0"


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


def read_result(path):
    """Return the bytes of a file of a trained model."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing: train it with snakemake -c all {path}")
    return path.read_bytes()


def description(folder, part):
    """Return model.json, or what it says of a further network of the same training."""
    content = read_result(folder / "model.json")
    if not part:
        return content
    others = json.loads(content).get("others", [])
    found = [other for other in others if other["file"] == f"{part}.safetensors"]
    if not found:
        raise SystemExit(f"{folder / 'model.json'} names no {part}.safetensors")
    return (json.dumps(found[0], indent=1, sort_keys=True) + "\n").encode()


def ship(wanted, root, write):
    """Copy and enter all (model, part, key), or none if something is missing or too large."""
    contents = {}
    for model, part, key in wanted:
        folder = root / "results" / "models" / model
        contents[key, f"{key}.json"] = description(folder, part)
        tensors = read_result(folder / f"{part or 'weights'}.safetensors")
        contents[key, f"{key}.safetensors"] = tensors
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


def parse_wanted(text):
    """Turn `model=key` or `model:part=key` into (model, part, key)."""
    name, _, key = text.partition("=")
    model, _, part = name.partition(":")
    if not model or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not model=key or model:part=key")
    return model, part, key


def main(arguments=None):
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wanted", nargs="+", type=parse_wanted, metavar="MODEL[:PART]=KEY")
    ship(parser.parse_args(arguments).wanted, ROOT, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
