"""Base colour of glTF materials: factor, picture, texture coordinates with their transform."""

import logging
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from math import cos, sin

import numpy as np
from jaxtyping import Float

from semcorr.geometry.formats.gltf_document import Document
from semcorr.geometry.formats.pictures import Pictures
from semcorr.geometry.mesh import Material
from semcorr.geometry.srgb import srgb_from_linear

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """A material and how texture coordinates of the file become ours (origin lower left)."""

    material: Material
    uv_set: int = 0
    uv_matrix: Float[np.ndarray, "2 3"] = dataclass_field(default_factory=lambda: np.eye(2, 3))

    def uvs(self, stored: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Turn stored coordinates (origin upper left) into ours."""
        moved = stored @ self.uv_matrix[:, :2].T + self.uv_matrix[:, 2]
        return np.stack([moved[:, 0], 1.0 - moved[:, 1]], axis=1)


class Looks:
    """Materials by index, read once each."""

    def __init__(self, document: Document):
        self.document = document
        self.pictures = Pictures(document.source)
        self._images: dict[int, np.ndarray | None] = {}

    def read(self, index: int | None) -> Look:
        """Return material `index`; None = the mesh names none."""
        if index is None:
            return Look(Material())
        entry = self.document.get("materials", index)
        factor, texture = _base_color(entry)
        opaque = entry.get("alphaMode", "OPAQUE") == "OPAQUE"
        linear = np.array(factor, dtype=np.float64).reshape(4)
        color = (
            *np.round(srgb_from_linear(linear[:3]), 6),
            1.0 if opaque else float(np.clip(linear[3], 0, 1)),
        )
        picture, uv_set, matrix = None, 0, np.eye(2, 3)
        if texture is not None:
            picture = self._picture(texture["index"])
            uv_set, matrix = _uv_transform(texture)
        if picture is not None and opaque:
            # the alpha of an opaque material has no meaning, and files do keep other things in it
            picture = picture.copy()
            picture[..., 3] = 255
        return Look(Material(tuple(float(c) for c in color), picture), uv_set, matrix)

    def _picture(self, index: int) -> np.ndarray | None:
        texture = self.document.get("textures", index)
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        image = webp.get("source", texture.get("source"))
        if image is None:
            log.warning("%s: textures[%d] has no picture", self.document.source.path.name, index)
            return None
        if image not in self._images:
            self._images[image] = self._load(image)
        return self._images[image]

    def _load(self, image: int) -> np.ndarray | None:
        entry = self.document.get("images", image)
        if "bufferView" in entry:
            data = bytes(self.document.view(entry["bufferView"])[0])
            return self.pictures.from_bytes(data, f"images[{image}]")
        data = self.document.uri_bytes(entry.get("uri", ""))
        if data is None:
            name = self.document.source.path.name
            log.warning("%s: texture %s is missing", name, entry["uri"])
            return None
        return self.pictures.from_bytes(data, f"images[{image}]")


def _base_color(entry: dict) -> tuple[list[float], dict | None]:
    older = entry.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness")
    if older is not None and "pbrMetallicRoughness" not in entry:
        return older.get("diffuseFactor", [1.0] * 4), older.get("diffuseTexture")
    model = entry.get("pbrMetallicRoughness", {})
    return model.get("baseColorFactor", [1.0] * 4), model.get("baseColorTexture")


def _uv_transform(texture: dict) -> tuple[int, Float[np.ndarray, "2 3"]]:
    """Read KHR_texture_transform: scale, then rotation (in the sense of viewers), then offset."""
    move = texture.get("extensions", {}).get("KHR_texture_transform", {})
    angle = float(move.get("rotation", 0.0))
    scale_u, scale_v = (float(value) for value in move.get("scale", (1.0, 1.0)))
    offset_u, offset_v = (float(value) for value in move.get("offset", (0.0, 0.0)))
    matrix = np.array(
        [
            [cos(angle) * scale_u, sin(angle) * scale_v, offset_u],
            [-sin(angle) * scale_u, cos(angle) * scale_v, offset_v],
        ]
    )
    return int(move.get("texCoord", texture.get("texCoord", 0))), matrix
