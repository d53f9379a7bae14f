"""Nearest neighbour in feature space by cosine: knows what a point looks like, not where it is."""

from semcorr.matching.cosine import best_rows, unit_rows
from semcorr.matching.result import SiteMatch, round_trip_confidence
from semcorr.matching.shape import Shape, site_features_of


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Match every site to the site of the other shape with the most similar feature.

    Args:
        source: needs site features.
        target: needs site features of as many channels.
        options: nothing is read.
        seed: unused.

    Returns:
        Both directions; confidence = cosine times closeness of the round trip.
    """
    source_features, target_features = site_features_of(source, target)
    best = best_rows(unit_rows(source_features), unit_rows(target_features))
    there, back = best.target_to_source, best.source_to_target
    confidence = round_trip_confidence(best.score, target.sites, there, back)
    return SiteMatch(there, back, confidence, {"cosine": float(best.score.mean())})
