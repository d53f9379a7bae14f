"""The header of a PLY file: elements, their properties, the encoding of the body."""

from dataclasses import dataclass, field

import numpy as np

from semcorr.geometry.formats.text import text_lines

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2",
    "ushort": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ENCODINGS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class Property:
    """One property; `length_type` types the count in front of a list (None: a scalar)."""

    name: str
    value_type: np.dtype
    length_type: np.dtype | None = None


@dataclass
class Element:
    """One element (table) of the file."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


@dataclass(frozen=True)
class Header:
    """Byte order ("<", ">", "" = ascii), the elements in file order, pictures, body offset."""

    order: str
    elements: tuple[Element, ...]
    pictures: tuple[str, ...]
    body: int

    @property
    def ascii(self) -> bool:
        """Whether the body is text."""
        return self.order == ""


def read_header(data: bytes) -> Header:
    """Parse the header.

    Raises:
        ValueError: it is broken, endless, or of an unknown encoding or type.
    """
    if not data.startswith((b"ply\n", b"ply\r")):
        raise ValueError("it does not begin with 'ply'")
    end = data.find(b"end_header", 0, _MAX_HEADER)
    if end < 0:
        raise ValueError("its header has no end")
    # old Macintosh files end lines by CR alone; in a binary body an LF could come later by chance
    only_cr = data[3:4] == b"\r" and data[4:5] != b"\n"
    newline = data.find(b"\r" if only_cr else b"\n", end)
    body = len(data) if newline < 0 else newline + 1
    order: str | None = None
    elements: list[Element] = []
    pictures: list[str] = []
    for line in text_lines(data[:end], "latin-1")[1:]:
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        if words[0] == "format":
            order = _ENCODINGS[words[1]]
        elif words[0] == "comment":
            if len(words) > 2 and words[1].lower() == "texturefile":
                pictures.append(line.split(None, 2)[2].strip())
        elif words[0] == "element":
            elements.append(Element(words[1], int(words[2])))
        elif words[0] == "property":
            elements[-1].properties.append(_property(words, order))
        else:
            raise ValueError(f"its header has a line {line[:40]!r}")
    if order is None:
        raise ValueError("its header names no format")
    if any(element.count < 0 for element in elements):
        raise ValueError("its header has a negative count")
    return Header(order, tuple(elements), tuple(pictures), body)


def _property(words: list[str], order: str | None) -> Property:
    def dtype(name: str) -> np.dtype:
        if name not in _TYPES:
            raise ValueError(f"its header has an unknown type {name!r}")
        return np.dtype((order or "<") + _TYPES[name])

    if words[1] == "list":
        if dtype(words[2]).kind == "f":
            raise ValueError(f"the list {words[4]!r} has a fractional length type")
        return Property(words[4], dtype(words[3]), dtype(words[2]))
    return Property(words[2], dtype(words[1]))
