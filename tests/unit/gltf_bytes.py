"""Builds small glTF files byte by byte."""

import base64
import json
import struct

import numpy as np

CODES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class Gltf:
    """A glTF document under construction; `document` may be changed freely before writing."""

    def __init__(self):
        self.data = b""
        self.document = {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}],
                         "nodes": [], "meshes": [], "accessors": [], "bufferViews": []}  # fmt: skip

    def add(self, kind, entry):
        self.document.setdefault(kind, []).append(entry)
        return len(self.document[kind]) - 1

    def view(self, data, **extra):
        self.data += b"\0" * (-len(self.data) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **extra}
        self.data += data
        return self.add("bufferViews", entry)

    def accessor(self, values, dtype="f4", **extra):
        values = np.asarray(values)
        values = values.reshape(len(values), -1).astype("<" + dtype)
        return self.add(
            "accessors",
            {
                "bufferView": self.view(values.tobytes()),
                "componentType": CODES[dtype],
                "count": len(values),
                "type": TYPES[values.shape[1]],
                **extra,
            },
        )

    def primitive(self, positions, indices=None, **extra):
        attributes = {"POSITION": self.accessor(positions), **extra.pop("attributes", {})}
        primitive = {"attributes": attributes, **extra}
        if indices is not None:
            primitive["indices"] = self.accessor(indices, "u2")
        return primitive

    def node(self, root=True, **entry):
        index = self.add("nodes", entry)
        if root:
            self.document["scenes"][0]["nodes"].append(index)
        return index

    def mesh(self, *primitives, **extra):
        return self.add("meshes", {"primitives": list(primitives), **extra})

    def glb(self):
        data = self.data + b"\0" * (-len(self.data) % 4)
        self.document["buffers"] = [{"byteLength": len(data)}]
        text = json.dumps(self.document).encode()
        text += b" " * (-len(text) % 4)
        body = struct.pack("<II", len(text), 0x4E4F534A) + text
        body += struct.pack("<II", len(data), 0x004E4942) + data
        return b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body

    def gltf(self, uri=None):
        if uri is None:
            encoded = base64.b64encode(self.data).decode()
            uri = "data:application/octet-stream;base64," + encoded
        self.document["buffers"] = [{"byteLength": len(self.data), "uri": uri}]
        return json.dumps(self.document).encode()


TRIANGLE = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]


def simple():
    """One triangle at one node."""
    gltf = Gltf()
    gltf.node(mesh=gltf.mesh(gltf.primitive(TRIANGLE, [0, 1, 2])))
    return gltf
