"""What a user asks of `pair`: two files and options, each checked with one clear line."""

import csv
import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from semcorr.errors import UserError


@dataclass(frozen=True)
class PairRequest:
    """One pair of meshes.

    Attributes:
        source: mesh whose colours, labels and keypoints are carried.
        target: mesh that receives them.
        method: `auto` or the name of a method.
        labels: part labels of the source (JSON of docs/datasets.md), or None.
        keypoints: keypoints of the source (likewise), or None.
        up, front: axes of both files.
        out: folder of the results, or None for results/pairs/{name}.
    """

    source: Path
    target: Path
    method: str = "auto"
    labels: Path | None = None
    keypoints: Path | None = None
    up: str = "+y"
    front: str = "+z"
    out: Path | None = None

    @property
    def name(self) -> str:
        """Cleaned stems and 8 hex digits of both resolved paths."""
        stems = (
            re.sub(r"[^a-z0-9]+", "_", p.stem.lower()).strip("_")
            for p in (self.source, self.target)
        )
        paths = f"{self.source.resolve()}\0{self.target.resolve()}".encode()
        return "_".join([*(s[:40] for s in stems), hashlib.sha256(paths).hexdigest()[:8]])

    def folder(self, results: Path) -> Path:
        """Return the folder that the results go to."""
        return self.out if self.out is not None else results / "pairs" / self.name


def read_requests(keys: dict[str, str]) -> list[PairRequest]:
    """Return the requests of `--config source=... target=...` or `pairs=list.csv`.

    Args:
        keys: as given on the command line, all values text.

    Raises:
        UserError: a key is missing, or a file is not there.
    """
    if "pairs" in keys:
        return [_check(r) for r in _from_list(Path(keys["pairs"]), _common(keys))]
    for key in ("source", "target"):
        if key not in keys:
            raise UserError(
                f"pair needs {key}=: snakemake -c all pair --config source=a.glb target=b.glb"
            )
    return [
        _check(replace(_common(keys), source=Path(keys["source"]), target=Path(keys["target"])))
    ]


def _common(keys: dict[str, str]) -> PairRequest:
    paths = {k: Path(keys[k]) for k in ("labels", "keypoints", "out") if k in keys}
    texts = {k: keys[k] for k in ("method", "up", "front") if k in keys}
    return PairRequest(Path(), Path(), **paths, **texts)


def _from_list(path: Path, common: PairRequest) -> list[PairRequest]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"pairs={path}: not readable as CSV ({error})") from None
    if not rows or not {"source", "target"} <= set(rows[0]):
        raise UserError(f"pairs={path}: needs the columns source,target and at least one row")
    base = path.parent
    requests = []
    for row in rows:
        request = replace(common, source=base / row["source"], target=base / row["target"])
        if common.out is not None:
            request = replace(request, out=common.out / request.name)
        requests.append(request)
    return requests


def _check(request: PairRequest) -> PairRequest:
    for key in ("source", "target", "labels", "keypoints"):
        path = getattr(request, key)
        if path is not None and not path.is_file():
            raise UserError(f"{key}={path}: there is no such file")
    return request
