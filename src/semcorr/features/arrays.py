"""Names of the arrays in stores of features."""

from typing import Any

SITES = "site_features"


def grid_array(layer: int | None) -> str:
    """Return the array of one block's grids; None is the block that the feature's entry calls `layer`."""
    return "grids" if layer is None else f"grids_{layer}"


def array_for(method: Any) -> str | None:
    """Return the array that a method (an entry of `methods`) reads; None where it reads no features."""
    if method.FEATURE_FORM == "none":
        return None
    return SITES if method.FEATURE_FORM == "sites" else grid_array(getattr(method, "layer", None))
