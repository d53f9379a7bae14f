"""What the module of an objective is given to train with."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from semcorr.geometry.mesh import Mesh
from semcorr.store.items import Arrays

# (name, number of rows, function range -> arrays of these rows, whether worker processes may call it)
# -> arrays of all rows
Cached = Callable[[str, int, Callable[[range], Arrays], bool], Arrays]


@dataclass(frozen=True)
class RenderedShape:
    """One shape of a rendered data set.

    Attributes:
        id: of the item.
        mesh: in the world frame.
        views: names -> those arrays of the render store; read anew by every call, since all arrays of
            all shapes together are more than a machine holds.
    """

    id: str
    mesh: Mesh
    views: Callable[[Iterable[str]], Arrays]


@dataclass(frozen=True)
class Materials:
    """Inputs of a training.

    Attributes:
        seed: global seed.
        cached: computes rows block by block; finished blocks survive a kill.
        device: torch device.
        weights: field of the entry -> small JSON of another network's weights.
        rendered: reads the rendered shapes, in the order of their ids; None where there are none.
    """

    seed: int
    cached: Cached
    device: str = "cpu"
    weights: Mapping[str, Path] = field(default_factory=dict)
    rendered: Callable[[], list[RenderedShape]] | None = None


@dataclass(frozen=True)
class Product:
    """One network of a finished training, as it is written.

    Attributes:
        file: name of its weights file.
        name: network class.
        args: constructor arguments.
    """

    file: str
    name: str
    args: dict
