"""Entries that the configuration implies: the features and methods of sweeps."""

from pydantic import ValidationError

from semcorr.config.base import Variant
from semcorr.config.root import Config
from semcorr.config.sweeps import Cell, pass_name


def expanded(config: Config) -> Config:
    """Return the configuration with one `features` entry a pass and one `methods` entry a cell.

    Raises:
        ValueError: a generated entry is not valid, or its name is taken.
    """
    features, methods = dict(config.features), dict(config.methods)
    for name, sweep in config.sweeps.items():
        method = config.methods[sweep.method]
        feature = config.features[method.feature]
        first, *more = sweep.ordered_layers
        for timestep, noise in sweep.passes(feature.noise):
            changes = {"timestep": timestep, "noise": noise, "layer": first, "more_layers": more}
            _add(features, pass_name(name, timestep, noise), feature, changes, name)
        for cell in cells_of(config, name):
            changes = {
                "feature": pass_name(name, cell.timestep, cell.noise),
                "layer": None if cell.layer == first else cell.layer,
            }
            _add(methods, cell.method, method, changes, name)
    return config.model_copy(update={"features": features, "methods": methods})


def cells_of(config: Config, sweep: str) -> list[Cell]:
    """Return every setting of a sweep."""
    entry = config.sweeps[sweep]
    noise = config.features[config.methods[entry.method].feature].noise
    return list(entry.cells(sweep, noise))


def _add(entries: dict[str, Variant], name: str, base: Variant, changes: dict, sweep: str) -> None:
    if name in entries:
        raise ValueError(f"sweeps.{sweep}: the name {name!r} is taken")
    try:
        entries[name] = type(base).model_validate(base.model_dump(by_alias=True) | changes)
    except ValidationError as error:
        raise ValueError(f"sweeps.{sweep}: {name}: {error.errors()[0]['msg']}") from None
