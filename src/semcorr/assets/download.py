"""One file over HTTP into a part file that survives kills: resume, retry, limits, hashing.

Why `requests` and neither `huggingface_hub` nor `httpx`: half of our assets are not on the hub, and
all of them need the same rules (mirror first, a declared size cap, refusal of downgrades, a part
file whose validator we control), which the hub's client neither exposes nor applies to other hosts.
`requests` is already installed (the workflow engine depends on it), honours proxies and CA bundles,
and gives the raw body, so that Range offsets count the bytes that are hashed. Redirects are
followed here, one by one, because the hub tells a file's own id only in the first answer.

Beside `{file}.part` lies `{file}.part.json`: the address and the validators (ETag, Last-Modified)
of the answer that the bytes came from. A later attempt sends them as `If-Range`; an answer that
belongs to other content starts the file again instead of glueing two halves together.
"""

import contextlib
import email.utils
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from tqdm import tqdm

from semcorr.assets.part import PartFile, Provenance, Received, ensure_space

logger = logging.getLogger(__name__)

CHUNK = 1 << 16
MAX_REDIRECTS = 8
PROGRESS_STEP = 1 << 20  # an attempt that got this much further does not count as a failure
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT_STATUS = (408, 425, 429)
_ABSENT_STATUS = (404, 410, 451)
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)


class TransientError(OSError):
    """A failure that a later attempt may mend: time-outs, 5xx, lost connections, short bodies."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class SourceError(Exception):
    """This source cannot deliver the file (404, forbidden, downgrade, too large); try another."""


class AbsentError(SourceError):
    """The address answers, and does not have the file."""


class TooLargeError(SourceError):
    """The file is larger than the declared cap."""


class WrongContentError(SourceError):
    """What arrived is not the file that was asked for (size or hash)."""


@dataclass(frozen=True)
class Patience:
    """Time-outs and retries of a download.

    Attributes:
        connect: seconds to wait for a connection.
        read: seconds without a byte after which the connection counts as dead.
        attempts: tries in a row without progress before giving up.
        backoff: seconds before the second try; doubled for each further one.
        longest_wait: cap in seconds on the back-off and on a server's `Retry-After`.
    """

    connect: float = 10.0
    read: float = 60.0
    attempts: int = 5
    backoff: float = 1.0
    longest_wait: float = 60.0


@dataclass(frozen=True)
class Wanted:
    """What a download must be: its address and its limits.

    Attributes:
        url: http(s) address.
        sha256: expected hash, or empty where nobody computed one.
        size: exact size in bytes where known.
        cap: largest acceptable size in bytes, or None.
        label: name in the progress bar and in messages.
    """

    url: str
    sha256: str = ""
    size: int | None = None
    cap: int | None = None
    label: str = ""


def download(
    wanted: Wanted,
    part: PartFile,
    patience: Patience,
    *,
    progress: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> Received:
    """Bring `wanted` completely into the part file.

    Raises:
        TransientError: after `patience.attempts` tries in a row without progress.
        SourceError: if this address cannot deliver the file.
        OSError: if the disk is full.
    """
    failures, furthest = 0, part.size
    with requests.Session() as session:
        while True:
            try:
                return _attempt(session, wanted, part, patience, progress)
            except TransientError as error:
                failures = 1 if part.size >= furthest + PROGRESS_STEP else failures + 1
                furthest = max(furthest, part.size)
                if failures >= patience.attempts:
                    raise
                wait = error.retry_after
                wait = patience.backoff * 2 ** (failures - 1) if wait is None else wait
                wait = min(wait, patience.longest_wait)
                logger.warning("%s: %s; trying again in %.1f s", wanted.label, error, wait)
                sleep(wait)


def _attempt(
    session: requests.Session, wanted: Wanted, part: PartFile, patience: Patience, progress: bool
) -> Received:
    """Send one request, from where the part file ends if its bytes are known to belong to it."""
    known = _resumable(wanted, part)
    if known is not None and known.total == part.size:
        return Received(part.hasher.hexdigest(), part.size, known)
    headers = {"Accept-Encoding": "identity"}
    if known is not None:
        headers["Range"] = f"bytes={part.size}-"
        if known.validator:
            headers["If-Range"] = known.validator
    answer, fresh = _open(session, wanted.url, headers, patience)
    with contextlib.closing(answer):
        offset = _align(answer, fresh, known, part)
        _check_size(fresh, wanted)
        needed = fresh.total if fresh.total is not None else wanted.size
        ensure_space(part.path.parent, (needed or offset) - offset)
        part.write_note(fresh)
        _stream(answer, wanted, part, fresh.total, progress)
    if fresh.total is not None and part.size < fresh.total:
        raise TransientError(f"connection closed after {part.size} of {fresh.total} bytes")
    if wanted.size is not None and part.size != wanted.size:
        raise WrongContentError(f"{part.size} bytes arrived, expected {wanted.size}")
    return Received(part.hasher.hexdigest(), part.size, fresh)


def _resumable(wanted: Wanted, part: PartFile) -> Provenance | None:
    """Return the provenance of usable bytes, rehashed; None where nothing vouches for them.

    Bytes of another address stay until this one delivers: it may turn out not to have the file.
    """
    known = part.read_note()
    usable = (
        known is not None
        and known.url == wanted.url
        and part.size > 0
        # without a validator only a known hash can tell whether both halves belong together
        and (known.validator or wanted.sha256 or known.total == part.size)
        and (known.total is None or part.size <= known.total)
    )
    if not usable:
        return None
    part.rehash()
    return known


def _open(
    session: requests.Session, url: str, headers: dict, patience: Patience
) -> tuple[requests.Response, Provenance]:
    """Follow redirects by hand and return the last answer with what the chain said of the file."""
    origin = urlsplit(url)[:2]
    seen = Provenance(url=url)
    for _ in range(MAX_REDIRECTS + 1):
        answer = _get(session, url, headers, patience)
        if urlsplit(url)[:2] == origin:  # other hosts have no say in the file's identity
            seen.linked_etag = seen.linked_etag or _opaque(answer.headers.get("X-Linked-Etag"))
            seen.commit = seen.commit or answer.headers.get("X-Repo-Commit", "")
            if answer.status_code in (200, 206):
                seen.origin_etag = _opaque(answer.headers.get("ETag"))
        if answer.status_code not in _REDIRECTS:
            _check_status(answer, url)
            return answer, seen
        answer.close()
        url = _next_address(url, answer.headers.get("Location"))
    raise SourceError(f"more than {MAX_REDIRECTS} redirects")


def _get(
    session: requests.Session, url: str, headers: dict, patience: Patience
) -> requests.Response:
    try:
        return session.get(
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(patience.connect, patience.read),
        )
    except _BAD_ADDRESS as error:
        raise SourceError(f"not an address: {error}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransientError(f"no answer from {urlsplit(url).netloc}: {_cause(error)}") from error


def _next_address(url: str, location: str | None) -> str:
    """Resolve a `Location`; only http(s), never from https down to http."""
    if not location:
        raise SourceError("redirect without a Location")
    following = urljoin(url, location)
    old, new = urlsplit(url).scheme, urlsplit(following).scheme
    if new not in ("http", "https") or (old == "https" and new == "http"):
        raise SourceError(f"refused a redirect from {old} to {new} ({following})")
    return following


def _check_status(answer: requests.Response, url: str) -> None:
    """Sort the answer's status into usable, transient and final."""
    status = answer.status_code
    if status in (200, 206, 416):
        if answer.headers.get("Content-Encoding", "identity") not in ("", "identity"):
            answer.close()
            raise SourceError("the server insists on an encoded body")
        return
    retry_after = _seconds(answer.headers.get("Retry-After"))
    answer.close()
    text = f"HTTP {status} from {urlsplit(url).netloc}"
    if status in _TRANSIENT_STATUS or status >= 500:
        raise TransientError(text, retry_after)
    raise (AbsentError if status in _ABSENT_STATUS else SourceError)(text)


def _align(
    answer: requests.Response, fresh: Provenance, known: Provenance | None, part: PartFile
) -> int:
    """Decide whether the body continues our bytes or starts anew; return where it starts."""
    fresh.etag = answer.headers.get("ETag", "")
    fresh.last_modified = answer.headers.get("Last-Modified", "")
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length", "")
        fresh.total = int(length) if length.isdigit() else None
        part.discard()
        return 0
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    same = known is not None and known.etag == fresh.etag
    same = same and known.last_modified == fresh.last_modified
    if answer.status_code == 206 and span and same and int(span[1]) == part.size:
        fresh.total = int(span[2])
        return part.size
    if known is not None:
        part.discard()
        raise TransientError("the file changed on the server: starting again", retry_after=0.0)
    raise SourceError(f"HTTP {answer.status_code} to a request for the whole file")


def _check_size(fresh: Provenance, wanted: Wanted) -> None:
    """Refuse before the first byte what is declared to be the wrong file or too large a one."""
    if fresh.total is not None:
        if wanted.size is not None and fresh.total != wanted.size:
            raise WrongContentError(f"{fresh.total} bytes announced, expected {wanted.size}")
        if wanted.cap is not None and fresh.total > wanted.cap:
            raise TooLargeError(f"{fresh.total} bytes announced, more than the cap of {wanted.cap}")
    if re.fullmatch(r"[0-9a-f]{64}", fresh.linked_etag) and wanted.sha256:
        if fresh.linked_etag != wanted.sha256:
            raise WrongContentError(f"the hub now has sha256 {fresh.linked_etag}")


def _stream(
    answer: requests.Response, wanted: Wanted, part: PartFile, total: int | None, progress: bool
) -> None:
    """Append the body to the part file: unbuffered, so that a kill loses no written byte."""
    bar = tqdm(
        total=total,
        initial=part.size,
        desc=wanted.label,
        unit="B",
        unit_scale=True,
        disable=not progress,
        mininterval=0.5,
        miniters=1,
    )
    size = part.size
    with bar, part.path.open("ab", buffering=0) as handle:
        for block in _blocks(answer):
            size += len(block)
            if wanted.cap is not None and size > wanted.cap:
                part.discard()
                raise TooLargeError(f"more than the cap of {wanted.cap} bytes arrived")
            handle.write(block)
            part.hasher.update(block)
            bar.update(len(block))
        os.fsync(handle.fileno())


def _blocks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the raw body; network failures become `TransientError`, disk failures cannot mix in."""
    try:
        # read1 hands on what has arrived: a dropped connection then costs no buffered bytes
        while block := answer.raw.read1(CHUNK, decode_content=False):
            yield block
    except (urllib3.exceptions.HTTPError, requests.RequestException, OSError) as error:
        raise TransientError(f"connection lost: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """Return the innermost text of a wrapped network error: the outer ones repeat the address."""
    inner = error.args[0] if error.args else None
    inner = getattr(inner, "reason", None) or inner
    if isinstance(inner, BaseException) and inner is not error:
        return _cause(inner)
    return str(error)


def _opaque(etag: str | None) -> str:
    """Return the text inside an ETag: without the weak mark and the quotes."""
    return (etag or "").removeprefix("W/").strip('"')


def _seconds(text: str | None) -> float | None:
    """Parse `Retry-After`: seconds or an HTTP date."""
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
