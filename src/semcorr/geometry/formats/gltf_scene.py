"""The node tree of a glTF scene in depth-first order, with world transforms and skins."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from semcorr.geometry.formats.gltf_document import Document


@dataclass(frozen=True)
class Placed:
    """A mesh where a node puts it. `file_from_node` (4, 4); `skin` is None for rigid meshes."""

    mesh: int
    file_from_node: Float[np.ndarray, "4 4"]
    skin: int | None
    weights: tuple[float, ...]  # of morph targets


class Scene:
    """Every node of the default scene once, parents before children, children in their order."""

    def __init__(self, document: Document):
        self.document = document
        self.transforms: dict[int, Float[np.ndarray, "4 4"]] = {}
        self.order: list[int] = []
        # an explicit stack: the depth of a hostile tree must not exhaust Python's own
        stack = [(root, np.eye(4)) for root in reversed(self._roots())]
        while stack:
            index, parent = stack.pop()
            if index in self.transforms:
                raise document.source.error(
                    f"nodes[{index}] has two parents or is its own ancestor"
                )
            node = document.get("nodes", index)
            matrix = parent @ local_transform(node)
            self.transforms[index] = matrix
            self.order.append(index)
            stack += [(child, matrix) for child in reversed(node.get("children", []))]

    def _roots(self) -> list[int]:
        scenes = self.document.json.get("scenes", [])
        if scenes:
            return list(
                self.document.get("scenes", self.document.json.get("scene", 0)).get("nodes", [])
            )
        nodes = self.document.json.get("nodes", [])
        children = {child for node in nodes for child in node.get("children", [])}
        return [index for index in range(len(nodes)) if index not in children]

    def meshes(self) -> list[Placed]:
        """Return every use of a mesh in depth-first order; instanced meshes come several times."""
        found = []
        for index in self.order:
            node = self.document.get("nodes", index)
            if "mesh" not in node:
                continue
            mesh = self.document.get("meshes", node["mesh"])
            weights = tuple(node.get("weights", mesh.get("weights", ())))
            found.append(Placed(node["mesh"], self.transforms[index], node.get("skin"), weights))
        return found

    def joint_matrices(self, skin: int) -> Float[np.ndarray, "j 4 4"]:
        """Return `file_from_bind` of every joint of a skin in the pose of the file."""
        entry = self.document.get("skins", skin)
        joints = entry["joints"]
        inverse = np.tile(np.eye(4), (len(joints), 1, 1))
        if "inverseBindMatrices" in entry:
            stored = self.document.array(entry["inverseBindMatrices"])[: len(joints)]
            # columns are stored one after another
            inverse[: len(stored)] = stored.reshape(-1, 4, 4).transpose(0, 2, 1)
        return np.stack([self._joint(j) @ inverse[k] for k, j in enumerate(joints)])

    def _joint(self, node: int) -> Float[np.ndarray, "4 4"]:
        if node not in self.transforms:
            raise self.document.source.error(f"has a skin with nodes[{node}] outside of its scene")
        return self.transforms[node]


def local_transform(node: dict) -> Float[np.ndarray, "4 4"]:
    """Return the matrix of one node: `matrix`, or translation, rotation (x, y, z, w) and scale."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = (float(value) for value in node.get("rotation", (0.0, 0.0, 0.0, 1.0)))
    norm = np.sqrt(x * x + y * y + z * z + w * w)
    if norm > 0:
        x, y, z, w = x / norm, y / norm, z / norm, w / norm
        matrix[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    matrix[:3, :3] *= np.array(node.get("scale", (1.0, 1.0, 1.0)), dtype=np.float64).reshape(1, 3)
    matrix[:3, 3] = np.array(node.get("translation", (0.0, 0.0, 0.0)), dtype=np.float64)
    return matrix
