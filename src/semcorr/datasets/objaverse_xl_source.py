"""Where the objects of an Objaverse-XL set lie: one file each, at the address of its source."""

from collections.abc import Mapping
from typing import Any

from semcorr.assets.table import AssetRow
from semcorr.datasets.objaverse_source import row_of
from semcorr.datasets.xl_identifiers import parse

KEY = "objaverse_xl"


def asset_row(columns: Mapping[str, str], entry: Mapping[str, Any]) -> AssetRow:
    """Return path in a mirror and address of the object of a row, as that of `objaverse_source`."""
    known = parse(columns["identifier"])
    host = entry[known.source].rstrip("/")
    if known.source == "sketchfab":
        return row_of(host, columns["path"])
    return AssetRow(key=KEY, kind="dataset", file=columns["path"], url=known.address(host))
