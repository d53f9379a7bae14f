"""From the small JSON of weights, trained or fetched, to the files it stands for."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from semcorr.errors import UserError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


class WeightFiles(NamedTuple):
    """Where a network's weights are and what they are.

    Attributes:
        description: `{"name": class, "args": constructor arguments, ...}`; empty where the weights
            came without a description.
        path: of the tensors.
        sha256: of that file, as recorded when it was trained or fetched.
    """

    description: dict[str, Any]
    path: Path
    sha256: str


def weight_files(manifest: str | Path) -> WeightFiles:
    """Find description and tensors behind a small JSON.

    Args:
        manifest: `models/{model}/model.json` of a training, or `assets/{key}.json` of an asset.

    Raises:
        UserError: the JSON or a file is missing or not of either form, or an asset does not hold
            exactly one file of tensors.
    """
    manifest = Path(manifest)
    content = _read(manifest)
    if isinstance(content.get("files"), list):
        return _of_asset(manifest, content)
    if isinstance(content.get("name"), str) and isinstance(content.get("sha256"), str):
        path = _existing(manifest.parent / "weights.safetensors", manifest)
        return WeightFiles(content, path, content["sha256"])
    raise UserError(f"{manifest}: neither the record of an asset nor that of a trained model")


def _of_asset(manifest: Path, content: dict[str, Any]) -> WeightFiles:
    folder = manifest.with_suffix("")
    rows = {str(row["file"]): str(row["sha256"]) for row in content["files"]}
    tensors = [file for file in rows if file.endswith(SUFFIXES)]
    descriptions = [file for file in rows if file.endswith(".json")]
    if len(tensors) != 1 or len(descriptions) > 1:
        raise UserError(
            f"{manifest}: expected one file of tensors and at most one description, "
            f"the asset has {', '.join(rows) or 'no file'}"
        )
    path = _existing(folder / tensors[0], manifest)
    description = _read(_existing(folder / descriptions[0], manifest)) if descriptions else {}
    return WeightFiles(description, path, rows[tensors[0]])


def _existing(path: Path, manifest: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"{path}: missing, {manifest} names it; delete {manifest.name} and run again"
        )
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; train or fetch the weights first") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a json file ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a mapping")
    return content
