"""What a user asks of `pair`: two files and options, each checked with one clear line."""

import csv
import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from semcorr.errors import ItemError, UserError

PAGE = "index.html"
# Everything that `pair` writes into its folder
OUTPUTS = frozenset(
    "target_to_source.npy confidence.npy source.ply source.glb target.ply target.glb picture.png"
    " scores.json index.html target_labels.json target_keypoints.json".split()
)


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
        row: where it stands in a list, or empty.
        problem: why its row names no pair, or empty.
    """

    source: Path
    target: Path
    method: str = "auto"
    labels: Path | None = None
    keypoints: Path | None = None
    up: str = "+y"
    front: str = "+z"
    out: Path | None = None
    row: str = ""
    problem: str = ""

    @property
    def label(self) -> str:
        """What messages call the pair."""
        return self.row or self.name

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
        UserError: a key is missing, or the list cannot be read.
    """
    if "pairs" in keys:
        return _from_list(Path(keys["pairs"]), _common(keys))
    for key in ("source", "target"):
        if key not in keys:
            raise UserError(
                f"pair needs {key}=: snakemake -c all pair --config source=a.glb target=b.glb"
            )
    return [replace(_common(keys), source=Path(keys["source"]), target=Path(keys["target"]))]


def pages_of(keys: dict[str, str]) -> list[Path]:
    """Return where the pages of all requests lie once they are done."""
    return [request.folder(Path("results")) / PAGE for request in read_requests(keys)]


def check(request: PairRequest) -> None:
    """Make sure, before anything is computed, that the files are there and the results may be written.

    Raises:
        ItemError: naming the key, the path and the remedy.
    """
    if request.problem:
        raise ItemError(request.problem)
    for key in ("source", "target", "labels", "keypoints"):
        path = getattr(request, key)
        if path is not None and not _is_file(path):
            raise ItemError(f"{key}={path}: there is no such file", "missing")
    if request.up.lstrip("+-") == request.front.lstrip("+-"):
        # front has a default: who names up alone does not see what is wrong
        raise ItemError(
            f"up={request.up}, front={request.front}: both lie on one line; name both axes of the"
            " files, such as up=+z front=-y"
        )
    if request.out is not None:
        _check_out(request, request.out.resolve())


def _check_out(request: PairRequest, out: Path) -> None:
    """Refuse a folder that is none, or whose other content would be lost: it is replaced whole."""
    where = f"out={request.out}"
    there = next(path for path in (out, *out.parents) if path.exists())
    if not there.is_dir():
        raise ItemError(f"{where}: {there} is a file; name a folder")
    if not os.access(there if there != out else out.parent, os.W_OK | os.X_OK) or os.path.ismount(
        out
    ):
        raise ItemError(
            f"{where}: cannot be replaced here; name a new folder inside of one of yours"
        )
    for key in ("source", "target", "labels", "keypoints"):
        path = getattr(request, key)
        if path is not None and path.resolve().is_relative_to(out):
            raise ItemError(
                f"{where}: {key}={path} lies in it and would be lost; name another folder"
            )
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if found - OUTPUTS or (found and "scores.json" not in found):
        other = min(found - OUTPUTS, default=min(found))
        raise ItemError(
            f"{where}: holds other files ({other}), and the folder is replaced whole;"
            " name a new or an empty folder"
        )


def _common(keys: dict[str, str]) -> PairRequest:
    paths = {k: Path(keys[k]) for k in ("labels", "keypoints", "out") if k in keys}
    texts = {k: keys[k] for k in ("method", "up", "front") if k in keys}
    return PairRequest(Path(), Path(), **paths, **texts)


def _from_list(path: Path, common: PairRequest) -> list[PairRequest]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"pairs={path}: not readable as CSV ({error})") from None
    if not rows or not {"source", "target"} <= set(rows[0]):
        raise UserError(f"pairs={path}: needs the columns source,target and at least one row")
    return [_of_row(path, number, row, common) for number, row in enumerate(rows, 1)]


def _of_row(path: Path, number: int, row: dict, common: PairRequest) -> PairRequest:
    """Return the request of a row; one that names no pair says so and leaves the others alone."""
    common = replace(common, row=f"{path.name}, row {number}")
    for key in ("source", "target"):
        if not (row[key] or "").strip():
            return replace(common, problem=f"{key} is empty")
    if None in row:
        return replace(common, problem="has more cells than the header")
    source, target = (path.parent / row[key] for key in ("source", "target"))
    request = replace(common, source=source, target=target)
    return request if common.out is None else replace(request, out=common.out / request.name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False
