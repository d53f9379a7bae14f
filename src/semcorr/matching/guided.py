"""Guided matching: features vote for a rotation, then decide together with the aligned positions.

Our own default (docs/matching.md), not part of any published system. (i) Soft mutual matches from
cosines. (ii) The rotation under which matched points lie closest, of shapes with one centre and one
size: about the up axis, or any. (iii) Cosine minus lambda times squared distance after alignment.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from semcorr.matching.cosine import BestRows, best_rows, unit_rows
from semcorr.matching.result import SiteMatch, round_trip_confidence
from semcorr.matching.rotation_search import (
    FINE_POINTS,
    Rotations,
    Score,
    chamfer_of_turns,
    search,
    search_positions,
)
from semcorr.matching.rotations import all_rotations, turn_about_centre, turns
from semcorr.matching.shape import Shape, concentric_sites, site_features_of
from semcorr.matching.yaw import choose, thinned

# sites per shape in the vote; the vote's cost grows with its square
VOTERS = 1500
# of all VOTERS^2 soft matches only the heaviest are followed through the rotations, and fewer through
# the many among which a search over all rotations begins
HEAVIEST = 50_000
ROUGH_VOTES = 7_000


@dataclass(frozen=True)
class Votes:
    """Soft mutual matches between chosen rows of two shapes.

    Attributes:
        source: (m,) row of the source.
        target: (m,) row of the target.
        weight: (m,) float64 in 0..1.
    """

    source: Int[np.ndarray, " m"]
    target: Int[np.ndarray, " m"]
    weight: Float[np.ndarray, " m"]


def soft_mutual_matches(
    source: Float[np.ndarray, "s c"], target: Float[np.ndarray, "t c"], temperature: float
) -> Float[np.ndarray, "t s"]:
    """Return softmax over rows times softmax over columns of cosines / temperature.

    Args:
        source: unit feature rows.
        target: unit feature rows.
        temperature: small values keep only the best partners.
    """
    logits = (target @ source.T) / np.float32(temperature)
    along_rows = np.exp(logits - logits.max(axis=1, keepdims=True))
    along_rows /= along_rows.sum(axis=1, keepdims=True)
    along_columns = np.exp(logits - logits.max(axis=0, keepdims=True))
    along_columns /= along_columns.sum(axis=0, keepdims=True)
    return along_rows * along_columns


def heaviest(weights: Float[np.ndarray, "t s"], count: int = HEAVIEST) -> Votes:
    """Return the `count` largest soft matches, in row-major order."""
    flat = weights.ravel()
    chosen = np.arange(len(flat))
    if len(flat) > count:
        chosen = np.sort(np.argpartition(flat, len(flat) - count)[len(flat) - count :])
    target, source = np.divmod(chosen, weights.shape[1])
    return Votes(source, target, flat[chosen].astype(np.float64))


def score_rotations(
    source: Float[np.ndarray, "s 3"],
    target: Float[np.ndarray, "t 3"],
    votes: Votes,
    rotations: Float[np.ndarray, "k 3 3"],
    sigma: float,
) -> Float[np.ndarray, " k"]:
    """Return per rotation of the target how close matched points lie: the weighted mean Gaussian.

    Args:
        source: positions that `votes.source` points into, about the common centre.
        target: positions that `votes.target` points into, likewise.
        votes: weighted pairs.
        rotations: to try.
        sigma: width of the Gaussian, longest side = 1.

    Returns:
        (k,) float64 in 0..1; zeros where no vote has weight.
    """
    goal = source[votes.source]
    total = votes.weight.sum()
    scores = np.zeros(len(rotations))
    if total <= 0:
        return scores
    for index, rotation in enumerate(rotations):
        turned = turn_about_centre(target, rotation)[votes.target]
        squared = ((turned - goal) ** 2).sum(axis=1)
        scores[index] = (votes.weight * np.exp(-squared / (2 * sigma**2))).sum() / total
    return scores


def match_aligned(
    source_features: Float[np.ndarray, "s c"],
    target_features: Float[np.ndarray, "t c"],
    source_sites: Float[np.ndarray, "s 3"],
    target_sites: Float[np.ndarray, "t 3"],
    position_weight: float,
) -> BestRows:
    """Return the best partners by cosine - position_weight * squared distance, both directions.

    The squared distance is expanded into four further columns of the rows, so that one blocked
    product gives the whole criterion.

    Args:
        source_features: unit rows, float32.
        target_features: unit rows, float32.
        source_sites: positions.
        target_sites: positions after alignment.
        position_weight: lambda.
    """

    def widened(features: np.ndarray, sites: np.ndarray, first: bool) -> np.ndarray:
        own = -position_weight * (sites**2).sum(axis=1, keepdims=True)
        ones = np.ones_like(own)
        where = [2 * position_weight * sites, own, ones] if first else [sites, ones, own]
        return np.concatenate([features, *where], axis=1, dtype=np.float32, casting="same_kind")

    return best_rows(
        widened(source_features, source_sites, True), widened(target_features, target_sites, False)
    )


def _any_rotation(
    source: Float[np.ndarray, "s 3"],
    target: Float[np.ndarray, "t 3"],
    options,
    score: Callable[[int], Score],
) -> tuple[Rotations, Float[np.ndarray, " k"], int]:
    """Return rotations that votes or positions speak for, the votes' scores, and which is chosen.

    Seen from elsewhere a shape looks otherwise, so that features alone may miss the rotation; the
    shape alone does not tell a seat from a back.

    Args:
        source: positions of the voters about the common centre.
        target: the same.
        options: `rotations`, `chamfer_weight` (as in `yaw.choose`).
        score: number of votes -> score of rotations.
    """
    fine = score(HEAVIEST)
    voted, _ = search(all_rotations(options.rotations), score(ROUGH_VOTES), fine)
    fitting, _ = search_positions(source, target, options.rotations)
    rotations = np.concatenate([voted, fitting])
    scores = fine(rotations)
    clouds = thinned(source, FINE_POINTS), thinned(target, FINE_POINTS)
    chamfer = chamfer_of_turns(*clouds, rotations)
    return rotations, scores, choose(chamfer, scores, options.chamfer_weight).best


def _voters(shape: Shape) -> Int[np.ndarray, " n"]:
    """Return evenly spaced rows of the samples (they are in random order and uniform in area)."""
    rows = shape.sample_rows
    return rows[np.linspace(0, len(rows) - 1, min(VOTERS, len(rows))).astype(np.int64)]


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Match sites by features and by positions after the rotation that the features vote for.

    Args:
        source: needs site features.
        target: needs site features of as many channels.
        options: `temperature`, `sigma`, `position_weight`, `align` ("none", "yaw", "rotation"), `yaws`,
            `rotations`, `chamfer_weight`.
        seed: unused; subsample and rotations are fixed.

    Returns:
        Both directions; confidence = cosine times closeness of the round trip.
    """
    source_features, target_features = (unit_rows(f) for f in site_features_of(source, target))
    rows_source, rows_target = _voters(source), _voters(target)
    weights = soft_mutual_matches(
        source_features[rows_source], target_features[rows_target], options.temperature
    )
    source_sites, target_sites = concentric_sites(source, target)
    places = source_sites[rows_source], target_sites[rows_target]

    def score(votes: int) -> Score:
        heavy = heaviest(weights, votes)
        return lambda rotations: score_rotations(*places, heavy, rotations, options.sigma)

    if options.align == "rotation":
        rotations, scores, chosen = _any_rotation(*places, options, score)
    else:
        rotations = turns(options.yaws if options.align == "yaw" else 1)
        scores = score(HEAVIEST)(rotations)
        chosen = int(np.argmax(scores))
    aligned = turn_about_centre(target_sites, rotations[chosen])
    best = match_aligned(
        source_features, target_features, source_sites, aligned, options.position_weight
    )
    there, back = best.target_to_source, best.source_to_target
    cosine = np.einsum("tc,tc->t", target_features, source_features[there])
    info = {
        "rotation": chosen,
        "rotations": len(rotations),
        "rotation_matrix": rotations[chosen].tolist(),
        "rotation_score": float(scores[chosen]),
        "cosine": float(cosine.mean()),
    }
    return SiteMatch(there, back, round_trip_confidence(cosine, target.sites, there, back), info)
