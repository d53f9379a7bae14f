"""Builds each section's type from the kinds found in kinds/: a new kind is a new module, no list to edit."""

import importlib
import pkgutil
from collections import defaultdict
from typing import Annotated, Any, Union

from pydantic import Field

from semcorr.config import kinds
from semcorr.config.base import Variant

DISCRIMINATORS = {"methods": "matcher"}
# Package of semcorr that holds the module of a variant's kind
PACKAGES = {
    "datasets": "datasets",
    "renders": "rendering",
    "masks": "imaging",
    "depth": "imaging",
    "latents": "features",
    "features": "features",
    "methods": "matching",
    "models": "training",
}


def kinds_by_section() -> dict[str, dict[str, type[Variant]]]:
    """Return {section: {kind: options class}} of all modules in config/kinds."""
    found: dict[str, dict[str, type[Variant]]] = defaultdict(dict)
    for module_info in pkgutil.iter_modules(kinds.__path__):
        module = importlib.import_module(f"{kinds.__name__}.{module_info.name}")
        found[module.SECTION][module_info.name.rstrip("_")] = module.Options
    return {section: dict(sorted(options.items())) for section, options in sorted(found.items())}


def entry_type(section: str) -> Any:
    """Return the discriminated union of all options of one section."""
    options = tuple(kinds_by_section()[section].values())
    discriminator = DISCRIMINATORS.get(section, "kind")
    if len(options) == 1:
        return options[0]
    return Annotated[Union[options], Field(discriminator=discriminator)]  # noqa: UP007 - built from data
