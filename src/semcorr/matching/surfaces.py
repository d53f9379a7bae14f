"""Matching of surfaces: vertices that no face uses are kept from the matchers.

Such a vertex may lie anywhere and belongs to no part. Its features are those of the nearest place on the
surface, in whose stead it would be matched.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int

from semcorr.matching.cells import nearest_rows
from semcorr.matching.result import SiteMatch
from semcorr.matching.shape import Shape

Match = Callable[[Shape, Shape, Any, int], SiteMatch]


def match_surfaces(
    match: Match, source: Shape, target: Shape, options: Any, seed: int
) -> SiteMatch:
    """Match the sites on the surfaces of two shapes; any other goes where the nearest of these goes.

    Args:
        match: of a matcher's module.
        source: all sites.
        target: all sites.
        options: of the matcher.
        seed: of the matcher.

    Returns:
        Both directions, over all sites; no match is a vertex that no face uses.
    """
    if source.is_surface and target.is_surface:
        return match(source, target, options, seed)
    found = match(source.surface(), target.surface(), options, seed)
    ours, theirs = _stand_ins(source), _stand_ins(target)
    # one more for sites without a match, -1
    source_rows, target_rows = (np.append(s.surface_rows, -1) for s in (source, target))
    return SiteMatch(
        source_rows[found.target_to_source][theirs],
        target_rows[found.source_to_target][ours],
        found.confidence[theirs],
        found.info,
    )


def _stand_ins(shape: Shape) -> Int[np.ndarray, " n"]:
    """Return for every site which one of `Shape.surface` it is, or is nearest to."""
    rows = shape.surface_rows
    found = np.empty(len(shape.sites), np.int64)
    found[rows] = np.arange(len(rows))
    others = np.delete(np.arange(len(found)), rows)
    found[others] = nearest_rows(shape.sites[others], shape.sites[rows])[1]
    return found
