"""Who made a shape and what its licence allows: for lists beside everything that shows the shape."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from semcorr.datasets.members import Member, base_entry

# Columns of item lists that say it; of folder sets and lists of objects alike
COLUMNS = ("licence", "author", "title", "page")
FIELDS = ("item", "data_set", "title", "author", "licence", "page", "exported")
NO_DERIVATIVES = "the licence forbids derivatives"
# Of sets whose kind says what their items may be used for
_OF_KIND = {
    "procedural": {"licence": "CC0-1.0", "author": "semcorr"},
    "shapenet": {
        "licence": "ShapeNet terms of use: research only, not to be shared",
        "page": "https://shapenet.org",
    },
}
# by-nd, CC BY-NC-ND 4.0, .../licenses/by-nd/4.0/, "No Derivatives", NoDerivs
_ND = re.compile(r"(?<![a-z])nd(?![a-z])|no[\s_-]*deriv", re.IGNORECASE)


@dataclass(frozen=True)
class Credit:
    """One shape's origin; what is not known is empty.

    Attributes:
        item: id.
        data_set: name of its data set.
        title, author, licence, page: as the item list says.
    """

    item: str
    data_set: str
    title: str = ""
    author: str = ""
    licence: str = ""
    page: str = ""

    @property
    def allows_derivatives(self) -> bool:
        """Whether changed copies (other colours are a change) may be shared."""
        return _ND.search(self.licence) is None


def credit_of(datasets: Mapping[str, Mapping[str, Any]], name: str, member: Member) -> Credit:
    """Return what is known of one item of the data set `name`."""
    known = _OF_KIND.get(base_entry(datasets, name)["kind"], {})
    own = {column: member.columns.get(column, "").strip() for column in COLUMNS}
    return Credit(member.id, name, **{c: own[c] or known.get(c, "") for c in COLUMNS})


def credits_csv(credits: Iterable[Credit], left_out: set[str]) -> str:
    """Return a list of credits as CSV, one shape a line, sorted.

    Args:
        credits: of all shapes.
        left_out: ids of those that were not written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for credit in sorted(credits, key=lambda c: (c.item, c.data_set)):
        exported = f"no: {NO_DERIVATIVES}" if credit.item in left_out else "yes"
        writer.writerow(vars(credit) | {"exported": exported})
    return text.getvalue()
