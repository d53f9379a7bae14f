"""Words of a command line, lines of a file of ids, rows of a list: as text, in and out."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from semcorr.errors import UserError


def words(text: str) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file of ids.

    Raises:
        UserError: no such file, or not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None


def as_csv(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> bytes:
    """Return a list as CSV in UTF-8; equal rows are equal bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
