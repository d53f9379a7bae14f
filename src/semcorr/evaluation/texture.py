"""Texture transfer: what is left of the source's colours after the way to the target and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from semcorr.evaluation.bootstrap import bootstrap_ci95, mean_or_none, rounded
from semcorr.evaluation.colour_difference import ciede2000, lab_from_srgb, psnr
from semcorr.transfer.colours import UNMATCHED


@dataclass(frozen=True)
class TexturePair:
    """The colours of one source, before and after, at its surface samples.

    Attributes:
        source: id.
        target: id.
        original: (n, 3) sRGB in 0..1.
        returned: (n, 3) the same after source -> target -> source, NaN = no match on the way.
    """

    source: str
    target: str
    original: Float[np.ndarray, "n 3"]
    returned: Float[np.ndarray, "n 3"]

    def __post_init__(self):
        if self.original.ndim != 2 or self.original.shape[1] != 3 or not len(self.original):
            raise ValueError(f"original: expected (n, 3) with n > 0, got {self.original.shape}")
        if self.returned.shape != self.original.shape:
            raise ValueError(f"returned: expected {self.original.shape}, got {self.returned.shape}")


@dataclass(frozen=True)
class TextureScore:
    """Measures of one pair: dB, colour difference, share of samples without a match on the way."""

    source: str
    target: str
    psnr: float
    ciede2000: float
    unmatched: float


def round_trip_colours(
    colours: Float[np.ndarray, "s 3"],
    target_to_source: Int[np.ndarray, " t"],
    source_to_target: Int[np.ndarray, " s"],
) -> Float[np.ndarray, "s 3"]:
    """Carry colours of all source sites to the target's sites and back.

    A target site takes the colour of its source site, then a source site that of its target site.

    Args:
        colours: of the source's sites.
        target_to_source: -1 = no match.
        source_to_target: -1 = no match.

    Returns:
        (s, 3) float64, NaN where a match is missing on the way.
    """
    there = np.concatenate([np.asarray(colours, np.float64), np.full((1, 3), np.nan)])
    on_target = np.concatenate([there[np.asarray(target_to_source)], there[-1:]])
    return on_target[np.asarray(source_to_target)]


def score_pair(pair: TexturePair) -> TextureScore:
    """Measure one pair; points without a match count as grey."""
    lost = np.isnan(pair.returned).any(axis=1)
    returned = np.where(lost[:, None], np.array(UNMATCHED) / 255, pair.returned)
    difference = ciede2000(lab_from_srgb(pair.original), lab_from_srgb(returned))
    return TextureScore(
        pair.source,
        pair.target,
        psnr(pair.original, returned),
        float(difference.mean()),
        float(lost.mean()),
    )


def summarise(scores: Sequence[TextureScore], lost: int, seed: int) -> dict[str, Any]:
    """Return the entry of one method and pose in `texture/{experiment}.json`.

    psnr: mean over pairs of the peak signal-to-noise ratio of the returned colours, in dB (58.9 where
    nothing differs, see `colour_difference.psnr`); ciede2000: mean over pairs of the mean colour
    difference; ci95: of psnr, 2000 bootstrap draws of target shapes; unmatched: mean share of
    samples that had no match on the way (they count as grey); coverage: share of pairs that were
    measured. A map that leads back is rewarded whether or not it means the same part: read it beside
    part and keypoint scores.

    Args:
        scores: of all pairs with a map whose source has a texture.
        lost: number of pairs without a map.
        seed: of the bootstrap.

    Returns:
        Builtins, floats rounded to six decimals; means over nothing are None.
    """
    ordered = sorted(scores, key=lambda score: (score.source, score.target))
    ratios = [score.psnr for score in ordered]
    possible = len(ordered) + lost
    return rounded(
        {
            "psnr": mean_or_none(ratios),
            "ciede2000": mean_or_none([score.ciede2000 for score in ordered]),
            "ci95": bootstrap_ci95(ratios, [score.target for score in ordered], seed),
            "unmatched": mean_or_none([score.unmatched for score in ordered]),
            "coverage": len(ordered) / possible if possible else 0.0,
            "targets": [
                {
                    "source": score.source,
                    "target": score.target,
                    "psnr": score.psnr,
                    "ciede2000": score.ciede2000,
                }
                for score in ordered
            ],
        }
    )
