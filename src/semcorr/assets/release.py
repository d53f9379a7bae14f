"""`pipeline.json` of a TRELLIS release: a local copy that names other files than the table is refused."""

import json
from collections.abc import Sequence
from pathlib import Path

from semcorr.assets.sources import Source
from semcorr.assets.table import AssetRow
from semcorr.errors import UserError

PIPELINE = "pipeline.json"
# Asset -> its role in a pipeline. The two encoders have none: a release does not list them
ROLES = {
    "trellis_ss_flow_img": "sparse_structure_flow_model",
    "trellis_ss_dec": "sparse_structure_decoder",
    "trellis_slat_flow_img": "slat_flow_model",
}


def check_release(row: AssetRow, places: Sequence[Source]) -> None:
    """Refuse a file out of a folder whose `pipeline.json` gives its role to another file.

    Only folders of this machine are looked at: on the hub the table's revision decides.

    Args:
        row: one file of an asset.
        places: where the file may come from.

    Raises:
        UserError: the pipeline names another file, or cannot be read.
    """
    role = ROLES.get(row.key)
    if role is None:
        return
    for place in places:
        if place.remote:
            continue
        pipeline = Path(str(place.location).removesuffix(row.file)) / PIPELINE
        if pipeline.is_file():
            _compare(row, role, pipeline)


def _compare(row: AssetRow, role: str, pipeline: Path) -> None:
    named = _models(pipeline).get(role)
    wanted = str(Path(row.file).with_suffix(""))
    if named is not None and named != wanted:
        raise UserError(
            f"{pipeline}: {role} is {named!r}, config/assets.csv has {wanted!r} for {row.key!r}:"
            " another release than the table's; put that one there, or name its files in the table"
        )


def _models(pipeline: Path) -> dict[str, str]:
    try:
        models = json.loads(pipeline.read_text(encoding="utf-8"))["args"]["models"]
    except (OSError, UnicodeDecodeError, RecursionError, json.JSONDecodeError) as error:
        raise UserError(f"{pipeline}: cannot be read ({error}); copy it again") from error
    except (KeyError, TypeError, IndexError) as error:
        raise UserError(f"{pipeline}: has no args.models; copy it again") from error
    if not isinstance(models, dict):
        raise UserError(f"{pipeline}: args.models is no mapping; copy it again")
    return models
