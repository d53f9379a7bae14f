"""The body of a PLY file. Counts of the header are checked against the bytes first."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from semcorr.geometry.formats.ply_header import Element, Header, Property


@dataclass(frozen=True)
class Ragged:
    """A list property: `values` of all rows one after another, `sizes` (n,) of each row."""

    values: np.ndarray
    sizes: np.ndarray


Table = dict[str, np.ndarray | Ragged]


class Truncated(ValueError):
    """The body is shorter than the header claims."""


def read_body(data: bytes, header: Header) -> dict[str, Table]:
    """Return the columns of every element by name.

    Raises:
        Truncated: the file ends before the last row.
        ValueError: a word of an ascii file is no number, or a list has a negative length.
    """
    tables: dict[str, Table] = {}
    at = header.body
    words = data[header.body :].split() if header.ascii else []
    at = 0 if header.ascii else at
    for element in header.elements:
        if header.ascii:
            tables[element.name], at = _ascii_table(words, at, element)
        else:
            tables[element.name], at = _binary_table(data, at, element, header.order)
    return tables


def _least_row(element: Element, ascii_: bool) -> int:
    """Return the least number of bytes (binary) or words (ascii) of one row."""
    if ascii_:
        return len(element.properties)
    return sum((p.length_type or p.value_type).itemsize for p in element.properties)


def _check(element: Element, there: int, ascii_: bool) -> None:
    least = _least_row(element, ascii_)
    if element.count * least > there:
        raise Truncated(
            f"is truncated: {element.count} rows of {element.name!r} in the header, "
            f"room for {there // least} in the file"
        )


def _binary_table(data: bytes, at: int, element: Element, order: str) -> tuple[Table, int]:
    if not element.properties or not element.count:
        return {p.name: _empty(p) for p in element.properties}, at
    _check(element, len(data) - at, False)
    lists = [p for p in element.properties if p.length_type is not None]
    # nearly always all lists of a file have one length: then the rows are records of one size
    if (sizes := _first_sizes(data, at, element)) is not None:
        record = np.dtype([field for i, p in enumerate(element.properties)
                           for field in _fields(i, p, sizes.get(i, 0))])  # fmt: skip
        if record.itemsize * element.count <= len(data) - at:
            rows = np.frombuffer(data, record, element.count, at)
            if all((rows[f"n{i}"] == n).all() for i, n in sizes.items()):
                return _columns(rows, element, sizes), at + record.itemsize * element.count
    if not lists:
        raise Truncated(f"is truncated inside of {element.name!r}")
    return _binary_rows(data, at, element, "big" if order == ">" else "little")


def _empty(prop: Property) -> np.ndarray | Ragged:
    values = np.zeros(0, prop.value_type)
    return values if prop.length_type is None else Ragged(values, np.zeros(0, np.int64))


def _fields(index: int, prop: Property, size: int) -> list[tuple]:
    if prop.length_type is None:
        return [(f"v{index}", prop.value_type)]
    return [(f"n{index}", prop.length_type), (f"v{index}", prop.value_type, (size,))]


def _first_sizes(data: bytes, at: int, element: Element) -> dict[int, int] | None:
    """Return the list lengths of the first row by property, None if they are not plausible."""
    sizes: dict[int, int] = {}
    for i, prop in enumerate(element.properties):
        if prop.length_type is None:
            at += prop.value_type.itemsize
            continue
        if at + prop.length_type.itemsize > len(data):
            return None
        size = int(np.frombuffer(data, prop.length_type, 1, at)[0])
        at += prop.length_type.itemsize + size * prop.value_type.itemsize
        if size < 0 or at > len(data):
            return None
        sizes[i] = size
    return sizes


def _columns(rows: np.ndarray, element: Element, sizes: dict[int, int]) -> Table:
    table: Table = {}
    for i, prop in enumerate(element.properties):
        values = rows[f"v{i}"]
        if i in sizes:
            table[prop.name] = Ragged(values.reshape(-1), np.full(len(rows), sizes[i], np.int64))
        else:
            table[prop.name] = values
    return table


def _binary_rows(
    data: bytes, at: int, element: Element, order: Literal["little", "big"]
) -> tuple[Table, int]:
    """Read rows of different lengths one by one."""
    sizes = {p.name: np.zeros(element.count, np.int64) for p in element.properties}
    parts: dict[str, list[bytes]] = {p.name: [] for p in element.properties}
    layout = [
        (p.name, p.value_type.itemsize, p.length_type and p.length_type.itemsize,
         p.length_type is not None and p.length_type.kind == "i")
        for p in element.properties
    ]  # fmt: skip
    for row in range(element.count):
        for name, width, length_width, signed in layout:
            size = 1
            if length_width:
                size = int.from_bytes(data[at : at + length_width], order, signed=signed)
                at += length_width
            end = at + size * width
            if size < 0:
                raise ValueError(f"row {row} of {element.name!r} has a list of negative length")
            if end > len(data):
                raise Truncated(f"is truncated in row {row} of {element.name!r}")
            sizes[name][row] = size
            parts[name].append(data[at:end])
            at = end
    table: Table = {}
    for prop in element.properties:
        values = np.frombuffer(b"".join(parts[prop.name]), prop.value_type)
        table[prop.name] = values if prop.length_type is None else Ragged(values, sizes[prop.name])
    return table, at


def _ascii_table(words: list[bytes], at: int, element: Element) -> tuple[Table, int]:
    if not element.properties or not element.count:
        return {p.name: _empty(p) for p in element.properties}, at
    _check(element, len(words) - at, True)
    if all(p.length_type is None for p in element.properties):
        width = len(element.properties)
        end = at + width * element.count
        values = np.array(words[at:end], dtype=np.float64).reshape(-1, width)
        return {p.name: _typed(values[:, i], p) for i, p in enumerate(element.properties)}, end
    columns: dict[str, list[bytes]] = {p.name: [] for p in element.properties}
    sizes: dict[str, list[int]] = {p.name: [] for p in element.properties}
    for row in range(element.count):
        for prop in element.properties:
            size = 1
            if at >= len(words):
                raise Truncated(f"is truncated in row {row} of {element.name!r}")
            if prop.length_type is not None:
                size = int(words[at])
                at += 1
            if size < 0:
                raise ValueError(f"row {row} of {element.name!r} has a list of negative length")
            if at + size > len(words):
                raise Truncated(f"is truncated in row {row} of {element.name!r}")
            columns[prop.name] += words[at : at + size]
            sizes[prop.name].append(size)
            at += size
    table: Table = {}
    for prop in element.properties:
        values = _typed(np.array(columns[prop.name] or [], dtype=np.float64), prop)
        table[prop.name] = (
            values if prop.length_type is None else Ragged(values, np.array(sizes[prop.name]))
        )
    return table, at


def _typed(values: np.ndarray, prop: Property) -> np.ndarray:
    """Cast words of an ascii file; floats keep the precision in which they are written."""
    if prop.value_type.kind == "f":
        return values
    limits = np.iinfo(prop.value_type)
    if not ((values >= limits.min) & (values <= limits.max)).all():
        raise ValueError(f"a value of {prop.name!r} does not fit its type")
    return values.astype(prop.value_type)
