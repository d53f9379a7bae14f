"""From what Snakemake or a user read to the validated, normalised configuration."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from semcorr.config.expand import expanded
from semcorr.config.root import GLOBAL_KEYS, Config, check_weights
from semcorr.config.sections import kinds_by_section
from semcorr.errors import UserError

# How pydantic names a type that it tried, inside the path of a value
TRIED_TYPE = re.compile(r"\[|^constrained-|^(int|float|bool|str)$")
# Errors of pydantic that say that a value has another type
MISMATCH = re.compile(r"_(type|parsing)$|^literal_error$")
# Keys of `--config` that belong to the target `pair`, not to the configuration
TARGET_KEYS = "source target pairs labels keypoints method up front out".split()


def split_target_keys(raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Split what was read into the configuration and the keys of `pair`, as text.

    `keypoints` is both: a section, and `keypoints=file.json` of `pair`; a section is a mapping. Without the
    section goes `sweeps`, whose entries may name one of its experiments: `pair` needs neither.
    """
    keys = {k: str(v) for k, v in raw.items() if k in TARGET_KEYS and not isinstance(v, dict)}
    left_out = {*keys, "sweeps"} if "keypoints" in keys else keys
    return {k: v for k, v in raw.items() if k not in left_out}, keys


def validate(raw: dict[str, Any], asset_keys: list[str]) -> Config:
    """Validate a configuration as read from YAML.

    Args:
        raw: nested builtins; keys of `pair` (`source=`, `target=` ...) are left out.
        asset_keys: keys of config/assets.csv, which `weights` may name.

    Raises:
        UserError: with the full path of every wrong key and what is wrong with it.
    """
    try:
        config = Config.model_validate(split_target_keys(raw)[0])
        check_weights(config, asset_keys)
        config = expanded(config)
    except ValidationError as error:
        lines = [f"  {line}" for line in _lines(error.errors())]
        raise UserError("configuration is not valid:\n" + "\n".join(lines)) from None
    except ValueError as error:
        raise UserError(f"configuration is not valid:\n  {error}") from None
    return config


def dump(config: Config) -> dict[str, Any]:
    """Return the normalised configuration as nested builtins, aliases as the user writes them."""
    return config.model_dump(mode="json", by_alias=True)


def rule_cfg(config: Config, section: str, name: str) -> dict[str, Any]:
    """Return the `cfg` parameter of one variant: its dump without planning keys, plus global keys."""
    entry = getattr(config, section)[name]
    cfg = entry.model_dump(mode="json", by_alias=True, exclude=set(entry.PLANNING))
    return canonical(cfg) | {f"global_{key}": getattr(config, key) for key in GLOBAL_KEYS}


def canonical(value: Any) -> Any:
    """Return builtins with the keys of all mappings in one order, whatever order they were written in."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def entry_of(section: str, cfg: dict[str, Any]) -> Any:
    """Turn a rule's `cfg` back into the options object of its kind (planning keys keep no value)."""
    values = {k: v for k, v in cfg.items() if not k.startswith("global_")}
    annotation = Config.model_fields[section].annotation
    return TypeAdapter(annotation.__args__[1]).validate_python(values)


def _lines(errors: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line a wrong value: of a key that may hold several types there is an error a type."""
    by_path: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        by_path.setdefault(_path(error["loc"]), []).append(error)
    # where a list was looked into, a list was meant
    inside = [path for path in by_path if any(p.startswith(f"{path}.") for p in by_path)]
    return [_line_of_value(found) for path, found in by_path.items() if path not in inside]


def _line_of_value(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with a value of the right type, or all types that it may have."""
    for error in errors:
        if not MISMATCH.search(error["type"]):
            return _line(error)
    # what is written in full comes first, the words that may stand there last
    first, *others = sorted(reversed(errors), key=lambda error: error["type"] == "literal_error")
    return ", or ".join([_line(first), *(_line(e).split("should be ", 1)[-1] for e in others)])


def _line(error: Mapping[str, Any]) -> str:
    """Return where an error of pydantic is and what is wrong there, in the words of a YAML file."""
    path = _path(error["loc"])
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        close = get_close_matches(key, _keys(error["loc"]), 1, 0.65)
        meant = f"did you mean {close[0]!r}? " if close else ""
        return f"{path}: no such key here; {meant}docs/config.md lists all"
    # a check across sections names its key itself, without a place of pydantic's
    message = error["msg"].removeprefix("Value error, ")
    message = message.replace("a valid tuple", "a list, [...]")
    return f"{path}: {message}" if error["loc"] else message


def _keys(location: tuple) -> list[str]:
    """Return the keys that may stand where an unknown one does."""
    if len(location) == 1:
        return [*Config.model_fields, *TARGET_KEYS]
    kinds = kinds_by_section().get(location[0], {})
    kind = kinds.get(location[2]) if len(kinds) > 1 and len(location) > 2 else None
    models, inner = ([kind], location[3:-1]) if kind else (_models(location[0], Config), ())
    for part in inner:
        models = [found for model in models for found in _models(part, model)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _models(key: str, model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the models that a key of a model holds, itself or in its entries."""
    field = model.model_fields.get(key)
    waiting = [field.annotation] if field else []
    found = []
    while waiting:
        part = waiting.pop()
        if isinstance(part, type) and issubclass(part, BaseModel):
            found.append(part)
        waiting += get_args(part)
    return found


def _path(location: tuple) -> str:
    # pydantic inserts the kind after the entry's name in a section of several kinds, and for
    # a key that may hold one of several types the type that was tried; users write neither
    parts = [str(part) for part in location]
    kinds = kinds_by_section().get(parts[0], {}) if parts else {}
    if len(kinds) > 1 and len(parts) > 2 and parts[2] in kinds:
        parts.pop(2)
    parts[3:] = [part for part in parts[3:] if not TRIED_TYPE.search(part)]
    return ".".join(parts) or "(top level)"
