"""Material libraries of OBJ files: diffuse colour, opacity, diffuse picture."""

import logging

from semcorr.geometry.formats.pictures import Pictures
from semcorr.geometry.formats.source import Source, text_lines
from semcorr.geometry.mesh import Material

log = logging.getLogger(__name__)

# options of a map statement and how many values follow them at most
_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 1,
    "-clamp": 1, "-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1, "-colorspace": 1,
}  # fmt: skip


def read_library(source: Source, reference: str, pictures: Pictures) -> dict[str, Material]:
    """Read the material library that an OBJ file names; empty (and a warning) where it is missing.

    Raises:
        ItemError: (status `outside`) the library or a picture leaves the folder of the mesh.
    """
    path = source.beside(reference)
    if not path.is_file():
        log.warning("%s: material library %s is missing", source.path.name, reference)
        return {}
    found: dict[str, dict] = {}
    current: dict = {}
    for line in text_lines(path.read_bytes()):
        key, _, rest = line.strip().partition(" ")
        key, rest = key.lower(), rest.strip()
        if key == "newmtl":
            current = found.setdefault(rest, {})
        elif key in ("kd", "d", "tr", "map_kd"):
            current[key] = rest
    # pictures are found from the mesh's folder; a library in a sub-folder names them from its own
    folder = reference.replace("\\", "/").rpartition("/")[0]
    return {name: _material(source, entry, folder, pictures) for name, entry in found.items()}


def _material(source: Source, entry: dict, folder: str, pictures: Pictures) -> Material:
    red, green, blue = _numbers(entry.get("kd", ""), 3) or (0.8, 0.8, 0.8)
    opacity = _numbers(entry.get("d", ""), 1) or (1.0,)
    if "d" not in entry and (transparency := _numbers(entry.get("tr", ""), 1)):
        opacity = (1.0 - transparency[0],)
    texture = None
    if reference := _picture_name(entry.get("map_kd", "")):
        texture = pictures.from_file(_join(source, folder, reference))
    if texture is not None and (red, green, blue) == (0.0, 0.0, 0.0):
        # exporters write a black Kd beside a picture and mean the picture alone
        red = green = blue = 1.0
    return Material((red, green, blue, opacity[0]), texture)


def _join(source: Source, folder: str, reference: str) -> str:
    beside_library = f"{folder}/{reference}" if folder else reference
    if (
        folder
        and not source.beside(beside_library).is_file()
        and source.beside(reference).is_file()
    ):
        return reference
    return beside_library


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    """Return `count` numbers 0..1, or None for anything else (spectral curves, xyz, rubbish)."""
    try:
        values = [float(word) for word in text.split()[:count]]
    except ValueError:
        return None
    if len(values) == 1 and count == 3:
        values *= 3
    if len(values) != count or any(value != value for value in values):
        return None
    return tuple(min(max(value, 0.0), 1.0) for value in values)


def _picture_name(text: str) -> str:
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
