"""What the colours of exported meshes show; one function a colouring."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import UInt8

from semcorr.report.colours import (
    FAR,
    carried_colours,
    confidence_colours,
    confidence_range,
    distance_colours,
    label_colours,
    position_colours,
    rainbow_colours,
)
from semcorr.stages.exports.textures import Textures, itself
from semcorr.stages.matched.coseg_labels import part_names, shape_face_labels, shape_labels
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.store.items import Arrays
from semcorr.transfer.cycle import cycle_distance
from semcorr.transfer.labels import transfer_labels
from semcorr.transfer.texture import Follow


@dataclass(frozen=True)
class Shown:
    """One shape in one colouring.

    Attributes:
        what: the colouring.
        item: id of the shape.
        site_colours: (n, 3) of its sites, or None for a texture.
        texture: (source, follow) of a texture transfer, or None.
        facts: what the manifest says of it besides.
    """

    what: str
    item: str
    site_colours: UInt8[np.ndarray, "n 3"] | None = None
    texture: tuple[str, Follow] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


class Colourings:
    """The chosen colourings of the pairs of one pose.

    Args:
        pairs: of the pose.
        textures: their textures.
        chosen: names, each a function of this class; what a pair lacks yields nothing.
    """

    def __init__(self, pairs: PosePairs, textures: Textures, chosen: list[str]):
        self._pairs = pairs
        self._textures = textures
        self._names = part_names(pairs)
        self._chosen = chosen

    def of(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Yield source (where it is shown) and target in every chosen colouring."""
        for what in self._chosen:
            yield from getattr(self, what)(source, target, arrays)

    def positions(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Vivid colours of positions in the source."""
        sites = self._pairs.sites(source)
        own = position_colours(sites.positions, sites.box)
        yield from _carried("positions", source, target, own, arrays["target_to_source"])

    def rainbow(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """The published rainbow over the source."""
        sites = self._pairs.sites(source)
        own = rainbow_colours(sites.positions, sites.box)
        yield from _carried("rainbow", source, target, own, arrays["target_to_source"])

    def parts(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Part labels of the source, where it has any."""
        labels = shape_labels(self._pairs, source, self._names)
        if labels is not None:
            carried = transfer_labels(labels, arrays["target_to_source"])
            yield Shown("parts", source, label_colours(labels))
            yield Shown("parts", target, label_colours(carried))

    def confidence(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Confidence of the target's matches, bright = sure; grey where there is none."""
        matched = arrays["target_to_source"] >= 0
        values = np.where(matched, arrays["confidence"].astype(np.float64), np.nan)
        low, high = confidence_range(values)
        facts = {"low": round(low, 6), "high": round(high, 6)}
        yield Shown("confidence", target, confidence_colours(values, low, high), facts=facts)

    def cycle(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Where the way to the source and back ends: bright = at its start, grey = nowhere."""
        distance = cycle_distance(
            self._pairs.sites(target).positions,
            arrays["target_to_source"],
            arrays["source_to_target"],
        )
        facts = {"low": -FAR, "high": 0.0}
        yield Shown("cycle", target, distance_colours(distance), facts=facts)

    def texture(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Texture of the source, where it has one, along the map."""
        if self._textures.textured(source):
            follow = self._textures.dense(source, target, arrays["target_to_source"])
            yield Shown("texture", source, texture=(source, itself))
            yield Shown("texture", target, texture=(source, follow))

    def texture_parts(self, source: str, target: str, arrays: Arrays) -> Iterator[Shown]:
        """Texture of the source part by part, where it has a texture and labels."""
        labels = shape_labels(self._pairs, source, self._names)
        if labels is None or not self._textures.textured(source):
            return
        follow = self._textures.by_parts(
            source,
            target,
            arrays["target_to_source"],
            shape_face_labels(self._pairs, source, self._names),
            transfer_labels(labels, arrays["target_to_source"]),
        )
        yield Shown("texture_parts", source, texture=(source, itself))
        yield Shown("texture_parts", target, texture=(source, follow))


def _carried(what, source, target, own, target_to_source) -> Iterator[Shown]:
    yield Shown(what, source, own)
    yield Shown(what, target, carried_colours(own, target_to_source))
