"""Write a list of objects of Objaverse: by LVIS categories or ids, filtered by licence.

The list is yours: the workflow reads it (`list:` of a data set of kind `objaverse`) and never writes it.

Example:
    python -m semcorr.stages.objaverse_list --categories chair,stool --licences by,by-sa,cc0 --out chairs.csv
"""

import argparse
import difflib
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from semcorr.assets.sources import mirror_from_environment
from semcorr.config.kinds.objaverse import DEFAULT_URL
from semcorr.datasets.objaverse_annotations import Annotations, attribution
from semcorr.datasets.object_list import is_uid
from semcorr.errors import UserError
from semcorr.stages.object_lists.texts import as_csv, read_lines, words
from semcorr.stages.running.logs import logging_to
from semcorr.store.files import write_bytes

COLUMNS = ("id", "path", "category", "licence", "author", "title", "page")
# Names of Sketchfab; the terms are those of Creative Commons
LICENCES = ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd", "cc0")
UNKNOWN = "unknown"

Row = dict[str, str]


def choose(annotations: Annotations, categories: Sequence[str]) -> dict[str, str]:
    """Return {id: category} of all objects of some LVIS categories; of two the first counts."""
    there = annotations.categories()
    chosen: dict[str, str] = {}
    for name in categories:
        if name not in there:
            near = difflib.get_close_matches(name, there, cutoff=0.5) or sorted(there)[:5]
            raise UserError(f"no LVIS category {name!r}; near to it: {', '.join(near)}")
        for item_id in there[name]:
            chosen.setdefault(item_id, name)
    return chosen


def read_ids(path: Path) -> list[str]:
    """Return the ids of a file with one `{id}` or `{folder}/{id}` a line.

    Raises:
        UserError: no such file, not text, or a line that holds no id; the message names the line.
    """
    found = []
    for number, line in enumerate(read_lines(path), 1):
        text = line.strip().removesuffix(".glb").rpartition("/")[2]
        if not text or line.strip().startswith("#"):
            continue
        if not is_uid(text):
            raise UserError(f"{path}:{number}: {line.strip()[:60]!r} ends with no id of Objaverse")
        found.append(text)
    return list(dict.fromkeys(found))


def make_rows(annotations: Annotations, chosen: Mapping[str, str]) -> list[Row]:
    """Return one row per object that the data set has, sorted by category and id.

    Args:
        annotations: where paths and licences are looked up.
        chosen: {id: category}.
    """
    paths = annotations.paths(chosen)
    folders: dict[str, list[str]] = defaultdict(list)
    for item_id, path in paths.items():
        folders[path.split("/")[1]].append(item_id)
    rows = []
    for folder, ids in sorted(folders.items()):
        known = annotations.metadata(folder)
        rows += [
            {"id": i, "path": paths[i], "category": chosen[i], **attribution(known.get(i))}
            for i in ids
        ]
    return sorted(rows, key=lambda row: (row["category"], row["id"]))


def filtered(rows: Iterable[Row], licences: Sequence[str] | None, limit: int | None) -> list[Row]:
    """Return the rows under one of the licences, at most `limit` of each category (by id)."""
    kept, counts = [], Counter()
    for row in rows:
        if licences is not None and (row["licence"] or UNKNOWN) not in licences:
            continue
        counts[row["category"]] += 1
        if limit is None or counts[row["category"]] <= limit:
            kept.append(row)
    return kept


def summary(chosen: Mapping[str, str], rows: Sequence[Row], kept: Sequence[Row]) -> str:
    """Return what was chosen, left out and kept, in three lines."""
    licences = Counter(row["licence"] or UNKNOWN for row in rows)
    said = ", ".join(f"{count} {name}" for name, count in sorted(licences.items())) or "none"
    return (
        f"{len(chosen)} objects asked for, {len(chosen) - len(rows)} not in the data set\n"
        f"licences: {said}\n"
        f"{len(kept)} objects written, {len(rows) - len(kept)} left out\n"
    )


def command_line(arguments: Sequence[str] | None = None) -> int:
    """Write a list from the command line; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _check(options)
        with logging_to(None):
            annotations = Annotations(
                options.url,
                options.cache,
                options.mirror or mirror_from_environment(),
                options.offline,
            )
            if options.ids:
                chosen = dict.fromkeys(read_ids(options.ids), options.category)
            else:
                chosen = choose(annotations, options.categories)
            rows = make_rows(annotations, chosen)
        kept = filtered(rows, options.licences, options.limit)
        if not kept:
            raise UserError(f"nothing is left to write\n{summary(chosen, rows, kept)}".rstrip())
        write_bytes(options.out, as_csv(kept, COLUMNS))
    except (UserError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{summary(chosen, rows, kept)}{options.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m semcorr.stages.objaverse_list",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--categories", type=words, help="LVIS categories, as chair,stool")
    chosen.add_argument("--ids", type=Path, help="file with one {id} or {folder}/{id} a line")
    parser.add_argument("--category", default="object", help="category of all --ids (object)")
    parser.add_argument("--licences", type=words, help=f"of {','.join(LICENCES)},{UNKNOWN}; all")
    parser.add_argument("--limit", type=int, help="at most so many objects of a category")
    parser.add_argument("--out", type=Path, required=True, help="list to write, .csv")
    parser.add_argument("--force", action="store_true", help="replace a list that is there")
    parser.add_argument("--url", default=DEFAULT_URL, help="address of the data set")
    parser.add_argument("--mirror", help="folder or address looked at first; $SEMCORR_MIRROR")
    parser.add_argument("--offline", action="store_true", help="forbid the network")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path("results/assets/.objaverse"),
        help="where annotation files are kept (%(default)s)",
    )
    return parser


def _check(options: argparse.Namespace) -> None:
    wrong = sorted(set(options.licences or ()) - {*LICENCES, UNKNOWN})
    if wrong:
        raise UserError(f"--licences: {', '.join(wrong)}; there are {', '.join(LICENCES)}")
    if options.limit is not None and options.limit < 1:
        raise UserError(f"--limit: expected at least 1, got {options.limit}")
    if options.out.suffix != ".csv":
        raise UserError(f"--out {options.out}: a list is a .csv")
    if options.out.exists() and not options.force:
        raise UserError(f"--out {options.out}: is there already; --force replaces it")


if __name__ == "__main__":
    sys.exit(command_line())
