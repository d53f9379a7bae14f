"""Write a list of objects of Objaverse-XL: by source, format, licence or identifier.

It is made of the annotation files of the four sources.

The list is yours: the workflow reads it (`list:` of a data set of kind `objaverse_xl`) and never writes it.

Example:
    python -m semcorr.stages.objaverse_xl_list --sources smithsonian,thingiverse --limit 500 --out xl.csv
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from semcorr.assets.fetch import fetch
from semcorr.assets.sources import mirror_from_environment
from semcorr.config.kinds.objaverse import DEFAULT_URL
from semcorr.datasets.objaverse_annotations import Annotations
from semcorr.datasets.objaverse_source import row_of
from semcorr.datasets.objaverse_xl_items import FORMATS
from semcorr.datasets.xl_identifiers import SOURCES, parse
from semcorr.errors import UserError
from semcorr.stages.object_lists.texts import as_csv, read_lines, words
from semcorr.stages.running.logs import logging_to
from semcorr.store.files import write_bytes

XL_URL = "https://huggingface.co/datasets/allenai/objaverse-xl/resolve/main"
COLUMNS = ("identifier", "path", "category", "licence", "sha256")
READ = ("fileIdentifier", "license", "fileType", "sha256")
MAX_BYTES = 4_000_000_000  # of one annotation file; that of GitHub is the largest

Row = dict[str, str]


def annotated(path: Path) -> Iterator[Row]:
    """Yield the rows of an annotation file, block by block: that of GitHub has millions.

    Raises:
        UserError: no Parquet file, or a column is missing; the message names both.
    """
    try:
        with pq.ParquetFile(path) as file:
            there = file.schema_arrow.names
            if missing := [name for name in READ if name not in there]:
                raise UserError(f"{path}: no column {missing[0]!r}; columns are {', '.join(there)}")
            count = file.metadata.num_rows
            with tqdm(total=count, desc=path.stem, unit="row", mininterval=2) as progress:
                for batch in file.iter_batches(columns=list(READ)):
                    for record in batch.to_pylist():
                        yield {name: str(value or "").strip() for name, value in record.items()}
                    progress.update(len(batch))
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path}: not readable as Parquet ({error}); remove it and fetch it again"
        ) from None


def chosen(rows: Iterator[Row], options: argparse.Namespace, counts: Counter) -> list[Row]:
    """Return the rows of one source that are wanted, as rows of a list; `counts` says what was left out."""
    kept: list[Row] = []
    for row in rows:
        if options.ids is not None and row["fileIdentifier"] not in options.ids:
            continue
        counts["asked for"] += 1
        known = parse(row["fileIdentifier"])
        ending = "." + row["fileType"].lower().lstrip(".")
        if known is None:
            counts["of unknown form"] += 1
        elif ending not in options.formats:
            counts["of other formats"] += 1
        elif options.licences and row["license"].lower() not in options.licences:
            counts["of other licences"] += 1
        elif options.limit is not None and len(kept) >= options.limit:
            counts["above the limit"] += 1
        else:
            kept.append(
                {
                    "identifier": row["fileIdentifier"],
                    "path": "",
                    "category": options.category,
                    "licence": row["license"],
                    "sha256": row["sha256"].lower(),
                }
            )
    return kept


def with_paths(rows: list[Row], annotations: Annotations) -> list[Row]:
    """Return rows of sketchfab with their paths in Objaverse 1.0; those that it lacks are left out."""
    ids = {row["identifier"]: parse(row["identifier"]).id for row in rows}
    paths = annotations.paths(ids.values())
    return [
        row | {"path": paths[ids[row["identifier"]]]}
        for row in rows
        if ids[row["identifier"]] in paths
    ]


def annotation_file(source: str, options: argparse.Namespace) -> Path:
    """Return the annotation file of a source, fetched or from the mirror."""
    file, key = f"{source}/{source}.parquet", f"objaverse_xl_{source}"
    row = replace(row_of(options.url, file, MAX_BYTES), key=key, licence="ODC-By-1.0")
    fetch(key, [row], options.cache, mirror=options.mirror, offline=options.offline)
    return options.cache / key / file


def command_line(arguments: Sequence[str] | None = None) -> int:
    """Write a list from the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    options.mirror = options.mirror or mirror_from_environment()
    counts: Counter = Counter()
    rows: list[Row] = []
    try:
        if options.out.exists() and not options.force:
            raise UserError(f"{options.out} is there already; --force replaces it")
        if wrong := [name for name in options.sources if name not in SOURCES]:
            raise UserError(f"no source {wrong[0]!r}; there are: {', '.join(SOURCES)}")
        options.ids = _read_identifiers(options.ids)
        with logging_to(None):
            for source in options.sources:
                found = chosen(annotated(annotation_file(source, options)), options, counts)
                if source == "sketchfab" and found:
                    objaverse = Annotations(
                        options.objaverse_url, options.cache, options.mirror, options.offline
                    )
                    with_path = with_paths(found, objaverse)
                    counts["not in Objaverse 1.0"] += len(found) - len(with_path)
                    found = with_path
                rows += found
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        if not rows:
            raise UserError(f"nothing is left to write ({said or 'nothing was asked for'})")
        rows.sort(key=lambda row: row["identifier"])
        write_bytes(options.out, as_csv(rows, COLUMNS))
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    licences = Counter(row["licence"] or "unknown" for row in rows)
    under = ", ".join(f"{count} {name}" for name, count in sorted(licences.items()))
    sys.stdout.write(f"{said}\nlicences: {under}\n{len(rows)} objects written\n{options.out}\n")
    return 0


def _read_identifiers(path: Path | None) -> frozenset[str] | None:
    if path is None:
        return None
    return frozenset(line.strip() for line in read_lines(path) if line.strip() and line[0] != "#")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m semcorr.stages.objaverse_xl_list",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--sources", type=words, default=list(SOURCES), help=f"of {','.join(SOURCES)}; all")
    add("--formats", type=_endings, default=list(FORMATS), help="as glb,obj; all that are read")
    add(
        "--licences",
        type=_lower,
        default=[],
        help="as the annotation files name them, separated by ;",
    )
    add("--ids", type=Path, help="file with one fileIdentifier a line: only these")
    add("--category", default="object", help="category of all (object)")
    add("--limit", type=int, help="at most so many objects of a source, the first")
    add("--out", type=Path, required=True, help="list to write, .csv")
    add("--force", action="store_true", help="replace a list that is there")
    add("--url", default=XL_URL, help="address of the annotation files")
    add("--objaverse-url", default=DEFAULT_URL, help="address of Objaverse 1.0, for sketchfab")
    add("--mirror", help="folder or address looked at first; $SEMCORR_MIRROR")
    add("--offline", action="store_true", help="forbid the network")
    add("--cache", type=Path, default=Path("results/assets/.objaverse"), help="(%(default)s)")
    return parser


def _lower(text: str) -> list[str]:
    # names of licences hold commas
    return [name.strip().lower() for name in text.split(";") if name.strip()]


def _endings(text: str) -> list[str]:
    return ["." + word.lower().lstrip(".") for word in words(text)]


if __name__ == "__main__":
    sys.exit(command_line())
