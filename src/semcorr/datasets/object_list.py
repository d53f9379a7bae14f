"""Lists of objects to download: what a row must be; read with `csv` only, while planning.

A `.csv` has the column `id` and any of `path`, `category`, `licence`, `author`, `title`, `page`,
`sha256`, `up`, `front`. Any other file has one `{folder}/{id}` a line, as `000-023/` and an id of
Objaverse; from these the path in Objaverse follows: `glbs/{folder}/{id}.glb`.
"""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from semcorr.errors import UserError

# 32 hexadecimal digits; a few objects have an older id of 27 letters and digits
UID = r"[0-9a-f]{32}|[0-9A-Za-z]{27}"
_UID = re.compile(UID)
_FOLDER_AND_UID = re.compile(rf"(\d{{3}}-\d{{3}})/({UID})")
_PATH = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*\.glb", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
COMMAND = "python -m semcorr.stages.objaverse_list"


def read_rows(path: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a list, each with at least `id` and `path` (empty where none is known).

    Args:
        path: file, variables expanded.

    Raises:
        UserError: no such file, not UTF-8 or CSV, no column `id`, or bare ids, whose folder only the
            annotation files tell.
    """
    rows = read_csv(path, "id", COMMAND) if path.lower().endswith(".csv") else _line_rows(path)
    for row in rows:
        _complete(path, row)
        yield row


def read_csv(path: str, column: str, command: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV that has a column; what a row lacks is empty.

    Args:
        path: file, variables expanded.
        column: that must be there.
        command: what makes such a list, for the message.

    Raises:
        UserError: no such file, not UTF-8 or CSV, or no such column.
    """
    with _opened(path, command) as handle:
        reader = csv.DictReader(handle, strict=True)
        if column not in (reader.fieldnames or ()):
            columns = ", ".join(reader.fieldnames or ()) or "none"
            raise UserError(f"{path}: no column {column!r}; columns are {columns}")
        for row in reader:
            yield {k: v or "" for k, v in row.items() if k is not None}


@contextmanager
def _opened(path: str, command: str) -> Iterator[TextIO]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            yield handle
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such item list; {command} --help says how to make it"
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, expected an item list") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not readable as a list in UTF-8 ({error})") from None


def _line_rows(path: str) -> Iterator[dict[str, str]]:
    with _opened(path, COMMAND) as handle:
        for line in map(str.strip, handle):
            if line and not line.startswith("#"):
                yield {"id": line}


def _complete(path: str, row: dict[str, str]) -> None:
    """Split `{folder}/{id}`; a row that names its path keeps it."""
    if row.get("path"):
        return
    if match := _FOLDER_AND_UID.fullmatch(row["id"]):
        row["id"], row["path"] = match[2], f"glbs/{match[1]}/{match[2]}.glb"
        return
    row["path"] = ""
    if _UID.fullmatch(row["id"]):
        raise UserError(
            f"{path}: {row['id']} is given without its folder (000-023/...); "
            f"{COMMAND} --ids {path} --out list.csv looks it up"
        )


def examine(row: dict[str, str]) -> tuple[str, str]:
    """Return (status, reason) of a row whose id is usable: `ok`, `bad_name` or `outside`."""
    path = row["path"]
    if path.startswith("/") or ".." in path.split("/"):
        return "outside", f"path {path!r} leaves the data set"
    if not _PATH.fullmatch(path):
        return "bad_name", f"path {path!r} is no relative path of a .glb"
    if reason := wrong_hash(row):
        return "bad_name", reason
    return "ok", ""


def wrong_hash(row: dict[str, str]) -> str:
    """Return what is wrong with the `sha256` of a row, nothing where it can be used or is not given."""
    sha256 = row.get("sha256", "")
    if sha256 and not _SHA256.fullmatch(sha256):
        return f"{sha256!r} is no SHA-256 in lower case"
    return ""


def is_uid(text: object) -> bool:
    """Tell whether something is an id of Objaverse."""
    return isinstance(text, str) and _UID.fullmatch(text) is not None
