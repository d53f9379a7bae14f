"""Control: a random site for every site, the floor of every table."""

import numpy as np

from semcorr.matching.result import SiteMatch
from semcorr.matching.shape import Shape


def match(source: Shape, target: Shape, options, seed: int) -> SiteMatch:
    """Draw a site of the other shape for every site, uniformly and independently.

    Args:
        source: sites.
        target: sites.
        options: nothing is read.
        seed: of the draws; equal seeds give equal maps.

    Returns:
        Both directions; confidence is 0 everywhere.
    """
    generator = np.random.default_rng(seed)
    there = generator.integers(len(source.sites), size=len(target.sites))
    back = generator.integers(len(target.sites), size=len(source.sites))
    return SiteMatch(there, back, np.zeros(len(there)))
