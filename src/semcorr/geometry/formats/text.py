"""Lines of text files as exporters really write them."""

import codecs
from collections.abc import Iterator


def without_mark(data: bytes) -> bytes:
    """Return the bytes without the byte order mark that some editors put before UTF-8 text."""
    return data.removeprefix(codecs.BOM_UTF8)


def text_lines(data: bytes, encoding: str = "utf-8") -> list[str]:
    """Return the lines of a text file, whichever of LF, CR LF and CR ends them, and nothing else.

    `str.splitlines` also cuts at bytes that are parts of letters in comments and names.
    """
    text = without_mark(data).decode(encoding, errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def logical_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text), joining lines that end with a backslash."""
    start, parts = 0, []
    for number, line in enumerate(lines, 1):
        if line.endswith("\\"):
            start = start or number
            parts.append(line[:-1])
        elif parts:
            yield start, " ".join([*parts, line])
            start, parts = 0, []
        else:
            yield number, line
    if parts:
        yield start, " ".join(parts)
