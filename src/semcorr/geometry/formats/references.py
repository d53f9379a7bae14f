"""Which files a mesh file names: text only, read with the standard library while the workflow is planned.

The parsers of the formats find names by the same functions, so that what is an input of a job is what its
reader opens.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import PurePath
from urllib.parse import unquote

from semcorr.geometry.formats.text import logical_lines, text_lines

# At most this much of a file is read to find names: libraries are named at the top of an OBJ, and a
# glTF of more megabytes holds its buffers itself
MAX_OBJ, MAX_MTL, MAX_GLTF, MAX_PLY = 2**18, 2**20, 2**24, 2**16

# options of a map statement and how many values follow them at most
_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 1,
    "-clamp": 1, "-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1, "-colorspace": 1,
}  # fmt: skip


def referenced_files(path: str) -> list[str]:
    """Return the paths of existing files that a mesh file names, directly or in its material libraries.

    Args:
        path: a mesh file; of a .glb, .off or .stl nothing is read.

    Returns:
        Paths beside `path`, each once. Whether they may be read (inside the data set) is not checked.
    """
    find = {".obj": _of_obj, ".gltf": _of_gltf, ".ply": _of_ply}
    kind = os.path.splitext(path)[1].lower()
    if kind not in find:
        return []
    try:
        return list(dict.fromkeys(find[kind](path)))
    except (OSError, ValueError, RecursionError):
        # a file that cannot be read is the job's to report
        return []


def _of_obj(path: str) -> Iterator[str]:
    for _, line in logical_lines(text_lines(_start(path, MAX_OBJ))):
        words = line.split(None, 1)
        if len(words) < 2 or words[0] != "mtllib":
            continue
        for name in library_names(words[1].strip(), lambda n: bool(_beside(path, n))):
            yield from _library(path, name)


def _library(path: str, name: str) -> Iterator[str]:
    library = _beside(path, name)
    if library is None:
        return
    yield library
    for entry in library_statements(_start(library, MAX_MTL)).values():
        if reference := picture_name(entry.get("map_kd", "")):
            below = picture_beside_library(name, reference, lambda n: bool(_beside(path, n)))
            if picture := _beside(path, below):
                yield picture


def _of_gltf(path: str) -> Iterator[str]:
    if os.path.getsize(path) > MAX_GLTF:
        return
    document = json.loads(_start(path, MAX_GLTF).decode("utf-8-sig"))
    if not isinstance(document, dict):
        return
    for kind in ("buffers", "images"):
        entries = document.get(kind)
        for entry in entries if isinstance(entries, list) else ():
            uri = entry.get("uri") if isinstance(entry, dict) else None
            if isinstance(uri, str) and not uri.startswith("data:"):
                if found := _beside(path, unquote(uri)):
                    yield found


def _of_ply(path: str) -> Iterator[str]:
    header, _, _ = _start(path, MAX_PLY).partition(b"end_header")
    for line in header.decode("latin-1").splitlines():
        words = line.strip().split(None, 2)
        if len(words) == 3 and [w.lower() for w in words[:2]] == ["comment", "texturefile"]:
            if found := _beside(path, words[2].strip()):
                yield found


def _start(path: str, limit: int) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(limit)


def _beside(path: str, reference: str) -> str | None:
    """Return the regular file that a mesh file means by a name, None where there is none."""
    for name in (reference, reference.replace("\\", "/")):
        # a path that leads up is left as it is: the folder above a link is not that of its name
        plain = name if ".." in PurePath(name).parts else os.path.normpath(name)
        found = os.path.join(os.path.dirname(path), plain)
        if name and "\0" not in name and os.path.isfile(found):
            return found
    return None


def library_names(text: str, is_there: Callable[[str], bool]) -> list[str]:
    """Return the names in a `mtllib` statement: one with spaces in it where that is there, else words.

    Args:
        text: what follows `mtllib`.
        is_there: tells whether a file of that name is beside the mesh.
    """
    return [text] if text and is_there(text) else text.split()


def library_statements(data: bytes) -> dict[str, dict[str, str]]:
    """Return {material: {statement: its text}} of a material library, of the statements that count here."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in text_lines(data):
        key, _, rest = line.strip().partition(" ")
        key, rest = key.lower(), rest.strip()
        if key == "newmtl":
            current = found.setdefault(rest, {})
        elif key in ("kd", "d", "tr", "map_kd"):
            current[key] = rest
    return found


def picture_beside_library(library: str, reference: str, is_there: Callable[[str], bool]) -> str:
    """Return a library's picture as seen from the mesh's folder.

    A library in a sub-folder names pictures from its own folder; some exporters name them from the mesh's.

    Args:
        library: name of the library, from the mesh's folder.
        reference: name of the picture in it.
        is_there: tells whether a file of that name is beside the mesh.
    """
    folder = library.replace("\\", "/").rpartition("/")[0]
    if not folder:
        return reference
    below = f"{folder}/{reference}"
    return reference if not is_there(below) and is_there(reference) else below


def picture_name(text: str) -> str:
    """Strip the options of a map statement; what remains, spaces included, is the file's name."""
    words = text.split(" ")
    at = 0
    while at < len(words) and (not words[at] or words[at].lower() in _OPTIONS):
        option = words[at].lower()
        at += 1
        for k in range(_OPTIONS.get(option, 0)):
            # -o, -s and -t may have fewer values than three
            if at >= len(words) - 1 or (k and not _is_number(words[at])):
                break
            at += 1
    return " ".join(words[at:]).strip().strip('"')


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
