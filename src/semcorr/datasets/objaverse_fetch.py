"""Many objects at once: a few connections, no object stops the others, an outage stops all soon."""

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from semcorr.assets.download import TransientError
from semcorr.assets.table import AssetRow
from semcorr.datasets.objaverse_source import Found, OfflineError, Place, bring
from semcorr.errors import ItemError, UserError
from semcorr.store.items import item_path

log = logging.getLogger(__name__)

OUTAGE = 8  # objects in a row that fail for the time being: the rest is not tried any more
SHOWN = 3  # reasons in a message

Outcome = Found | ItemError


@dataclass(frozen=True)
class Asked:
    """An object to fetch: its path in a mirror and its address, and its hash or an empty text."""

    row: AssetRow
    sha256: str = ""


@dataclass
class _Outage:
    """Counts failures in a row over all threads."""

    in_a_row: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, failed: bool) -> None:
        with self.lock:
            self.in_a_row = self.in_a_row + 1 if failed else 0


def fetch_all(
    wanted: Mapping[str, Asked], folder: Path, place: Place, connections: int
) -> dict[str, Outcome]:
    """Bring objects to this machine.

    Args:
        wanted: objects by id.
        folder: where downloads go; what arrived stays there for the next try.
        place: where objects are looked for.
        connections: downloads at once.

    Returns:
        For every id the file, or the permanent reason why there is none.

    Raises:
        TransientError: some could not be fetched now; all others were tried before.
        UserError: offline and not in the mirror, or the server refuses access.
    """
    outage, outcomes, passing = _Outage(), {}, {}
    refused: list[UserError] = []

    def one(item_id: str) -> Outcome:
        if outage.in_a_row >= OUTAGE:
            raise TransientError(f"not tried: {OUTAGE} before it failed")
        part = item_path(folder, item_id, ".part")
        one_asked = wanted[item_id]
        try:
            found: Outcome = bring(one_asked.row, one_asked.sha256, part, place)
        except ItemError as error:
            found = error
        except TransientError:
            outage.count(failed=True)
            raise
        outage.count(failed=False)
        return found

    with ThreadPoolExecutor(connections) as pool:
        asked = {pool.submit(one, item_id): item_id for item_id in wanted}
        for done in tqdm(as_completed(asked), total=len(asked), unit="object", mininterval=2):
            try:
                outcomes[asked[done]] = done.result()
            except TransientError as error:
                passing[asked[done]] = str(error)
            except UserError as error:
                refused.append(error)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    _raise(refused, passing, len(wanted))
    _log_verified(outcomes)
    return outcomes


def _raise(wrong: list[UserError], passing: dict[str, str], count: int) -> None:
    if wrong:
        more = f" ({len(wrong) - 1} more of {count} likewise)" if len(wrong) > 1 else ""
        kind = OfflineError if isinstance(wrong[0], OfflineError) else UserError
        raise kind(f"{min(map(str, wrong))}{more}")
    if passing:
        first = "; ".join(f"{i}: {passing[i]}" for i in sorted(passing)[:SHOWN])
        raise TransientError(
            f"{len(passing)} of {count} objects could not be fetched now ({first}): nothing was "
            "recorded as missing, what arrived is kept; run the same command again"
        )


def _log_verified(outcomes: Mapping[str, Outcome]) -> None:
    labels = [o.verified if isinstance(o, Found) else o.status for o in outcomes.values()]
    counts = ", ".join(f"{labels.count(name)} {name}" for name in sorted(set(labels)))
    log.info("objects: %s", counts or "none")
