"""Container and accessors of glTF 2.0: JSON, binary chunk, buffers, typed arrays."""

import base64
import binascii
import json
import struct
from urllib.parse import unquote

import numpy as np

from semcorr.geometry.formats.source import HARD_LIMIT, Source

_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_JSON, _BIN = 0x4E4F534A, 0x004E4942
# Required extensions outside of these change the geometry in ways that this reader does not know.
_HARMLESS = ("KHR_materials_", "KHR_texture_", "EXT_texture_", "KHR_lights_", "EXT_lights_",
             "KHR_xmp", "KHR_mesh_quantization", "KHR_animation_", "MSFT_texture_")  # fmt: skip


class Document:
    """A parsed glTF file.

    Raises (constructor and methods):
        ItemError: truncated, not version 2, an extension that hides the geometry, data out of
            range, a buffer that is missing or (status `outside`) leaves the folder of the mesh.
    """

    def __init__(self, source: Source):
        self.source = source
        text, self._chunk = self._split()
        self.json = json.loads(text.decode("utf-8-sig"))
        if not isinstance(self.json, dict):
            raise source.error("is not a glTF file: its JSON is no object")
        version = str(self.json.get("asset", {}).get("version", ""))
        if not version.startswith("2"):
            raise source.error(f"is glTF version {version or 'unknown'}, only 2.x can be read")
        for name in self.json.get("extensionsRequired", []):
            if not str(name).startswith(_HARMLESS):
                raise source.error(f"needs the glTF extension {name}, which is not supported")
        self._buffers: dict[int, bytes] = {}

    def get(self, kind: str, index: int) -> dict:
        """Return entry `index` of the top-level list `kind`."""
        entries = self.json.get(kind, [])
        if not isinstance(index, int) or not 0 <= index < len(entries):
            raise self.source.error(f"refers to {kind}[{index}], but has {len(entries)}")
        return entries[index]

    def _split(self) -> tuple[bytes, bytes | None]:
        data = self.source.data
        if not data.startswith(b"glTF"):
            return data, None
        if len(data) < 20:
            raise self.source.error("is truncated: its GLB header is incomplete")
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2:
            raise self.source.error(f"is GLB version {version}, only 2 can be read")
        if length > len(data):
            raise self.source.error(f"is truncated: {len(data)} of {length} bytes are there")
        chunks: list[tuple[int, bytes]] = []
        at = 12
        while at + 8 <= length:
            size, kind = struct.unpack_from("<II", data, at)
            if at + 8 + size > length:
                raise self.source.error("is truncated: a GLB chunk is longer than the file")
            chunks.append((kind, data[at + 8 : at + 8 + size]))
            at += 8 + size
        if not chunks or chunks[0][0] != _JSON:
            raise self.source.error("is not a GLB file: its first chunk is no JSON")
        return chunks[0][1], next((chunk for kind, chunk in chunks if kind == _BIN), None)

    def uri_bytes(self, uri: str) -> bytes | None:
        """Return what a URI holds or names; None where the file is missing."""
        if uri.startswith("data:"):
            head, _, body = uri.partition(",")
            if not head.endswith(";base64"):
                return unquote(body).encode("latin-1", errors="replace")
            try:
                return base64.b64decode(body, validate=False)
            except binascii.Error as error:
                raise self.source.error(f"has a broken data URI: {error}") from error
        path = self.source.beside(unquote(uri))
        return path.read_bytes() if path.is_file() else None

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            entry = self.get("buffers", index)
            if "uri" in entry:
                data = self.uri_bytes(entry["uri"])
                if data is None:
                    raise self.source.error(f"lacks its buffer file {entry['uri']!r}")
            elif index == 0 and self._chunk is not None:
                data = self._chunk
            else:
                raise self.source.error(f"has no data for buffers[{index}]")
            if len(data) < int(entry.get("byteLength", 0)):
                raise self.source.error(
                    f"is truncated: buffers[{index}] has {len(data)} of {entry['byteLength']} bytes"
                )
            self._buffers[index] = data
        return self._buffers[index]

    def view(self, index: int) -> tuple[memoryview, int]:
        """Return the bytes of a buffer view and its stride (0 = tightly packed)."""
        entry = self.get("bufferViews", index)
        data = self._buffer(entry["buffer"])
        start, length = int(entry.get("byteOffset", 0)), int(entry["byteLength"])
        if start < 0 or length < 0 or start + length > len(data):
            raise self.source.error(f"is truncated: bufferViews[{index}] leaves its buffer")
        return memoryview(data)[start : start + length], int(entry.get("byteStride", 0))

    def count(self, accessor: int) -> int:
        """Return the number of elements of an accessor without reading it."""
        return int(self.get("accessors", accessor)["count"])

    def array(self, accessor: int, *, normalise: bool = True) -> np.ndarray:
        """Return an accessor as (n, width) array, integers as such unless marked as normalised."""
        entry = self.get("accessors", accessor)
        dtype = np.dtype(_COMPONENTS[entry["componentType"]])
        width, count = _WIDTHS[entry["type"]], int(entry["count"])
        if not 0 <= count <= 6 * HARD_LIMIT:
            raise self.source.error(f"accessors[{accessor}] has {count} elements")
        if "bufferView" in entry:
            name = f"accessors[{accessor}]"
            values = self._strided(entry["bufferView"], entry, dtype, width, count, name)
        elif count > 1 << 24:
            raise self.source.error(f"accessors[{accessor}] has {count} elements and no data")
        else:
            values = np.zeros((count, width), dtype)
        if "sparse" in entry:
            values = self._replace_sparse(values, entry["sparse"], dtype, width)
        if normalise and entry.get("normalized") and dtype.kind != "f":
            limit = np.iinfo(dtype).max
            return np.maximum(values.astype(np.float64) / limit, -1.0)
        return values

    def _strided(
        self, view: int, entry: dict, dtype: np.dtype, width: int, count: int, name: str
    ) -> np.ndarray:
        data, stride = self.view(view)
        offset = int(entry.get("byteOffset", 0))
        size = width * dtype.itemsize
        stride = stride or size
        end = offset + (count - 1) * stride + size if count else offset
        if offset < 0 or stride < size or end > len(data):
            raise self.source.error(f"is truncated: {name} leaves its buffer view")
        if not count:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, offset, (stride, dtype.itemsize))

    def _replace_sparse(
        self, values: np.ndarray, sparse: dict, dtype: np.dtype, width: int
    ) -> np.ndarray:
        count, where, what = int(sparse["count"]), sparse["indices"], sparse["values"]
        name = "a sparse accessor"
        itype = np.dtype(_COMPONENTS[where["componentType"]])
        rows = self._strided(where["bufferView"], where, itype, 1, count, name)[:, 0]
        if count and (rows.max() >= len(values) or rows.min() < 0):
            raise self.source.error("has a sparse accessor that leaves its range")
        values = values.copy()
        values[rows] = self._strided(what["bufferView"], what, dtype, width, count, name)
        return values
