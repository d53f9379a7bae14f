"""The one record that every matcher returns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class SiteMatch:
    """Correspondence between the sites of two shapes, in both directions.

    Attributes:
        target_to_source: (t,) int32, index of a source site for every target site, -1 = none.
        source_to_target: (s,) int32, index of a target site for every source site, -1 = none.
        confidence: (t,) float32 in 0..1 per target site, 0 where there is no match. Higher is
            surer; comparable within one method only.
        info: small facts about the search (chosen yaw, scores) as builtins, for logs and pages.
    """

    target_to_source: Int[np.ndarray, " t"]
    source_to_target: Int[np.ndarray, " s"]
    confidence: Float[np.ndarray, " t"]
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        targets, sources = len(self.target_to_source), len(self.source_to_target)
        for name, limit in (("target_to_source", sources), ("source_to_target", targets)):
            indices = np.ascontiguousarray(getattr(self, name), dtype=np.int32)
            if indices.ndim != 1:
                raise ValueError(f"{name}: expected one dimension, got {indices.shape}")
            if len(indices) and (indices.min() < -1 or indices.max() >= limit):
                raise ValueError(
                    f"{name}: expected -1..{limit - 1}, got {indices.min()}..{indices.max()}"
                )
            object.__setattr__(self, name, indices)
        confidence = np.ascontiguousarray(self.confidence, dtype=np.float32)
        if confidence.shape != (targets,):
            raise ValueError(f"confidence: expected ({targets},), got {confidence.shape}")
        object.__setattr__(self, "confidence", confidence)


def round_trip_confidence(
    cosine: Float[np.ndarray, " t"],
    sites: Float[np.ndarray, "t 3"],
    target_to_source: Int[np.ndarray, " t"],
    source_to_target: Int[np.ndarray, " s"],
    width: float = 0.12,
) -> Float[np.ndarray, " t"]:
    """Return cosine (negative ones count as 0) times how close the way there and back ends.

    Args:
        cosine: agreement of every target site with its match.
        sites: target sites; the longest side of the shape is 1.
        target_to_source: -1 = none.
        source_to_target: -1 = none.
        width: sigma of the Gaussian of the distance between a site and its round trip.

    Returns:
        (t,) float32 in 0..1; 0 where the map or its way back has no match.
    """
    there = target_to_source >= 0
    back = np.full(len(target_to_source), -1, dtype=np.int64)
    back[there] = source_to_target[target_to_source[there]]
    closed = back >= 0
    confidence = np.zeros(len(back), dtype=np.float64)
    squared = np.sum((sites[closed] - sites[back[closed]]) ** 2, axis=1)
    agreement = np.clip(np.asarray(cosine, np.float64)[closed], 0.0, 1.0)
    confidence[closed] = agreement * np.exp(-squared / (2 * width**2))
    return confidence.astype(np.float32)
