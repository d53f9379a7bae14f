"""What the workflow plans, floor upon floor: items, variants, pairs, results, and the whole plan."""

from semcorr.planning.paths import CHUNK_SECTIONS, manifest, weights_manifest
from semcorr.planning.plan import Plan

__all__ = ["CHUNK_SECTIONS", "Plan", "manifest", "weights_manifest"]
