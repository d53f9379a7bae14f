"""What is known of fetched files: `{key}.json` for readers, `.pins/{key}.json` for refusals.

`{key}.json` is the output of a workflow rule, and the engine deletes the outputs of a rule before
it runs again. What was trusted on first use must outlive that, or a changed upstream file would
simply be trusted a second time; so the same rows are kept as a *pin* that no rule owns.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from semcorr.assets.sources import mirror_from_environment, mirror_sources, own_sources
from semcorr.assets.table import AssetRow
from semcorr.errors import UserError

SCHEMA = 1
# from the strongest evidence to none: our own hash; the hub's id of the content; nothing but itself
VERIFIED = ("sha256", "hub-lfs", "hub-git", "first-use")


@dataclass(frozen=True)
class FileRecord:
    """One fetched file.

    Attributes:
        file: path inside the asset's folder.
        sha256: computed here from the bytes that were stored.
        bytes: size.
        verified: `sha256` (equals the table's hash), `hub-lfs` (equals the hub's LFS id), `hub-git`
            (equals the hub's git blob id), `first-use` (nothing to compare with: trusted, pinned).
        source: where the bytes came from.
        commit: the commit that the hub resolved the revision to, or empty.
    """

    file: str
    sha256: str
    bytes: int
    verified: str
    source: str
    commit: str = ""


def record_path(key: str, assets_dir: Path) -> Path:
    """Return `{assets}/{key}.json`."""
    return Path(assets_dir) / f"{key}.json"


def read_pins(key: str, assets_dir: Path) -> dict[str, FileRecord]:
    """Return the pinned files of an asset; empty where it was never fetched."""
    path = _pin_path(key, assets_dir)
    if not path.exists():
        return {}
    try:
        rows = [FileRecord(**row) for row in json.loads(path.read_text())["files"]]
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: damaged record of fetched files ({error}); delete it") from error
    return {row.file: row for row in rows}


def write_pins(key: str, assets_dir: Path, pins: dict[str, FileRecord]) -> None:
    """Keep what was seen, for later refusals."""
    rows = [asdict(pins[file]) for file in sorted(pins)]
    _write_json(_pin_path(key, assets_dir), {"schema": SCHEMA, "files": rows})


def write_record(rows: Sequence[AssetRow], assets_dir: Path, files: list[FileRecord]) -> Path:
    """Write `{key}.json`. No time and no host in it: fetched again, it is byte-identical."""
    first = rows[0]
    verified = max((file.verified for file in files), key=VERIFIED.index)
    record = {
        "schema": SCHEMA,
        "key": first.key,
        "kind": first.kind,
        "licence": " AND ".join(dict.fromkeys(row.licence for row in rows)),
        "non_commercial": any(row.non_commercial for row in rows),
        "description": first.description,
        "sha256": combined_hash(files),
        "bytes": sum(file.bytes for file in files),
        "verified": verified,
        "files": [asdict(file) for file in files],
    }
    path = record_path(first.key, assets_dir)
    _write_json(path, record)
    return path


def combined_hash(files: Sequence[FileRecord]) -> str:
    """Return the file's sha256, or of several files that of their sorted `sha256  file` lines."""
    if len(files) == 1:
        return files[0].sha256
    lines = sorted(f"{file.sha256}  {file.file}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_record(key: str, assets_dir: Path | str) -> dict | None:
    """Return the content of `{key}.json`, or None where it is missing or damaged."""
    try:
        record = json.loads(record_path(key, Path(assets_dir)).read_text())
        return record if isinstance(record, dict) and isinstance(record["files"], list) else None
    except (OSError, ValueError, KeyError):
        return None


def is_present(key: str, assets_dir: Path | str) -> bool:
    """Whether the asset was fetched and all its files still have their recorded sizes."""
    record = read_record(key, assets_dir)
    if record is None:
        return False
    folder = Path(assets_dir) / key
    files = [(folder / row["file"], row["bytes"]) for row in record["files"]]
    return all(path.is_file() and path.stat().st_size == size for path, size in files)


def state_of(rows: Sequence[AssetRow], assets_dir: Path | str, mirror: str | None = None) -> str:
    """Say without the network where an asset would come from.

    Returns:
        `present` (fetched), `shipped` (in the repository), `mirror` (in the mirror folder; sizes
        are compared where known, hashes not), `network` (an address is known), `missing` (mirror
        only, and not there, or a shipped file that is gone).
    """
    if is_present(rows[0].key, assets_dir):
        return "present"
    mirror = mirror_from_environment() if mirror is None else mirror
    if all(_lies_locally(row, mirror_sources(mirror, row)) for row in rows):
        return "mirror"
    if all(row.shipped for row in rows):
        return "shipped" if all(_lies_locally(row, own_sources(row)) for row in rows) else "missing"
    return "missing" if any(row.mirror_only for row in rows) else "network"


def _lies_locally(row: AssetRow, places: list) -> bool:
    """Whether one of the places on this machine has a file of a possible size."""
    paths = [place.location for place in places if not place.remote]
    return any(
        path.is_file() and (row.bytes is None or path.stat().st_size == row.bytes) for path in paths
    )


def _pin_path(key: str, assets_dir: Path) -> Path:
    return Path(assets_dir) / ".pins" / f"{key}.json"


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
