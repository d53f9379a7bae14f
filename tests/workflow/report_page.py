"""What the page of `snakemake --report <file>.zip` knows of the files that it shows."""

import json
import re
import zipfile
from typing import Any


def entries_of(archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """Return {path of a result: caption, labels, place in the archive ...}."""
    page = archive.read("report/report.html").decode()
    start = re.search(r"var results = (?=\{)", page).end()
    return json.JSONDecoder().raw_decode(page, start)[0]


def packed(archive: zipfile.ZipFile, entry: dict[str, Any]) -> bytes:
    """Return the file of an entry as it lies in the archive."""
    return archive.read(f"report/{entry['data_uri']}")
