"""`config/assets.csv`: one row a file; an asset of several files has several rows.

Read with `csv` only, so that a workflow may read it while parsing. Columns:

| column | meaning |
|---|---|
| `key` | name of the asset, `[a-z0-9_]+`; the folder under `results/assets/` |
| `kind` | `weights`, `dataset` or `code` |
| `file` | path of the file inside the asset's folder (for hub files: inside the repository) |
| `url` | `https://...`, `repo:path` (shipped, relative to the repository), `file:/path`, or empty |
| `repo`, `revision` | hub repository `owner/name`, its branch, tag or commit (instead of `url`) |
| `sha256` | computed by us from the file, or empty: `unverified` |
| `bytes` | exact size where known |
| `max_bytes` | declared cap: a longer answer is refused (needed where `bytes` is empty) |
| `licence` | SPDX name or a short text |
| `non_commercial` | `yes`: fetched only if the key is in `accept_licences` |
| `description` | one line |

A row without `url` and `repo` is *mirror only*: found through `SEMCORR_MIRROR`, never downloaded.
"""

import csv
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from semcorr.errors import UserError

KINDS = ("weights", "dataset", "code")
COLUMNS = (
    "key",
    "kind",
    "file",
    "url",
    "repo",
    "revision",
    "sha256",
    "bytes",
    "max_bytes",
    "licence",
    "non_commercial",
    "description",
)
NETWORK_SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class AssetRow:
    """One file of one asset (see the module's table of columns)."""

    key: str
    kind: str
    file: str
    url: str = ""
    repo: str = ""
    revision: str = ""
    sha256: str = ""
    bytes: int | None = None
    max_bytes: int | None = None
    licence: str = ""
    non_commercial: bool = False
    description: str = ""

    @property
    def shipped(self) -> bool:
        """Whether the file comes from this machine (`repo:` or `file:`), not from the network."""
        return self.url.startswith(("repo:", "file:"))

    @property
    def mirror_only(self) -> bool:
        """Whether no address is known, so that only a mirror can have the file."""
        return not self.url and not self.repo

    @property
    def size_cap(self) -> int | None:
        """Largest acceptable size in bytes: the exact size where known, else the declared cap."""
        return self.bytes if self.bytes is not None else self.max_bytes

    def as_params(self) -> dict:
        """Return the row as builtins, for the `params` of a workflow rule."""
        return asdict(self)


def repository_root() -> Path:
    """Return the folder that `repo:` paths are relative to: the checkout this package lies in."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "config").is_dir() else Path.cwd()


def default_table() -> Path:
    """Return the path of the shipped table."""
    return repository_root() / "config" / "assets.csv"


def read_table(path: Path | str | None = None) -> dict[str, list[AssetRow]]:
    """Read the asset table into `{key: rows}`, in the order of the file.

    Raises:
        UserError: naming file, line and column, if the table is not as described above.
    """
    path = default_table() if path is None else Path(path)
    table: dict[str, list[AssetRow]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read the asset table: {error}") from error
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise UserError(f"{path}: columns are {reader.fieldnames}, expected {list(COLUMNS)}")
    try:
        for record in reader:
            row = _parse(record, f"{path}:{reader.line_num}")
            siblings = table.setdefault(row.key, [])
            if any(other.file == row.file for other in siblings):
                raise UserError(f"{path}:{reader.line_num}: {row.key}/{row.file} appears twice")
            siblings.append(row)
    except csv.Error as error:
        raise UserError(f"{path}:{reader.line_num}: not valid CSV: {error}") from error
    return table


def rows_of(key: str, table: dict[str, list[AssetRow]]) -> list[AssetRow]:
    """Return the rows of a key; an unknown key is a `UserError` that lists the known ones."""
    if key not in table:
        raise UserError(f"unknown asset {key!r}; config/assets.csv has: {', '.join(sorted(table))}")
    return table[key]


def asset_keys(path: Path | str | None = None) -> list[str]:
    """Return the keys of the table, for the check that every `weights:` names something."""
    return list(read_table(path))


def _parse(record: dict, where: str) -> AssetRow:
    """Check one record of the table and convert it."""
    if None in record or None in record.values():
        raise UserError(f"{where}: expected {len(COLUMNS)} columns")
    record = {name: value.strip() for name, value in record.items()}
    _check_names(record, where)
    _check_address(record, where)
    sha256 = record["sha256"].lower()
    if sha256 and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise UserError(f"{where}: sha256 is not 64 hexadecimal digits: {sha256!r}")
    if record["non_commercial"] not in ("yes", "no"):
        raise UserError(f"{where}: non_commercial is {record['non_commercial']!r}, not yes or no")
    sizes = {name: _size(record[name], name, where) for name in ("bytes", "max_bytes")}
    if not record["licence"]:
        raise UserError(f"{where}: licence is empty")
    return AssetRow(
        **{
            **record,
            **sizes,
            "sha256": sha256,
            "non_commercial": record["non_commercial"] == "yes",
        }
    )


def _check_names(record: dict, where: str) -> None:
    """Refuse names that would leave the asset's folder or collide with our own files."""
    if not re.fullmatch(r"[a-z0-9_]+", record["key"]):
        raise UserError(f"{where}: key {record['key']!r} is not made of a-z, 0-9 and _")
    if record["kind"] not in KINDS:
        raise UserError(f"{where}: kind {record['kind']!r} is none of {', '.join(KINDS)}")
    file = record["file"]
    if not file or file.startswith("/") or ".." in PurePosixPath(file).parts or "\\" in file:
        raise UserError(f"{where}: file {file!r} is not a relative path inside the asset's folder")


def _check_address(record: dict, where: str) -> None:
    """At most one address, with a known scheme; hub files name repository and revision."""
    url, repo = record["url"], record["repo"]
    if url and repo:
        raise UserError(f"{where}: give either url or repo, not both")
    if bool(repo) != bool(record["revision"]):
        raise UserError(f"{where}: repo and revision go together")
    if repo and not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"{where}: repo {repo!r} is not owner/name")
    if url and not url.startswith((*NETWORK_SCHEMES, "repo:", "file:")):
        raise UserError(f"{where}: url {url!r} is not https:, http:, repo: or file:")
    if url.startswith("repo:"):
        path = PurePosixPath(url.removeprefix("repo:"))
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{where}: url {url!r} leaves the repository")


def _size(text: str, name: str, where: str) -> int | None:
    if not text:
        return None
    if not text.isdigit() or int(text) == 0:
        raise UserError(f"{where}: {name} is {text!r}, expected a positive whole number")
    return int(text)
