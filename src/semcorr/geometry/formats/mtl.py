"""Material libraries of OBJ files: diffuse colour, opacity, diffuse picture."""

import logging

from semcorr.geometry.formats.pictures import Pictures
from semcorr.geometry.formats.references import (
    library_statements,
    picture_beside_library,
    picture_name,
)
from semcorr.geometry.formats.source import Source
from semcorr.geometry.mesh import Material

log = logging.getLogger(__name__)


def read_library(source: Source, reference: str, pictures: Pictures) -> dict[str, Material]:
    """Read the material library that an OBJ file names; empty (and a warning) where it is missing.

    Raises:
        ItemError: (status `outside`) the library or a picture leaves the folder of the mesh.
    """
    path = source.beside(reference)
    if not path.is_file():
        log.warning("%s: material library %s is missing", source.path.name, reference)
        return {}
    found = library_statements(path.read_bytes())
    return {name: _material(source, entry, reference, pictures) for name, entry in found.items()}


def _material(source: Source, entry: dict, library: str, pictures: Pictures) -> Material:
    red, green, blue = _numbers(entry.get("kd", ""), 3) or (0.8, 0.8, 0.8)
    opacity = _numbers(entry.get("d", ""), 1) or (1.0,)
    if "d" not in entry and (transparency := _numbers(entry.get("tr", ""), 1)):
        opacity = (1.0 - transparency[0],)
    texture = None
    if reference := picture_name(entry.get("map_kd", "")):
        texture = pictures.from_file(picture_beside_library(library, reference, source.has))
    if texture is not None and (red, green, blue) == (0.0, 0.0, 0.0):
        # exporters write a black Kd beside a picture and mean the picture alone
        red = green = blue = 1.0
    return Material((red, green, blue, opacity[0]), texture)


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
