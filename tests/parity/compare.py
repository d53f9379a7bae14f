"""Found arrays against expected ones, by the tolerances that a case states in case.json.

A tolerance is a dict of bounds (`max_abs`, `max_rel`, restricted to some rows by its note), "exact",
or a sentence. Sentences are rules of their own, recognised by their words; the numbers in them are
read, never repeated here. A sentence that nothing here recognises is an error.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import numpy as np

# Name under which tests record a line for the end of the session
PROPERTY = "print: parity: largest error (tolerance)"
# Entries smaller than this share of the largest one count as that share in relative bounds: the
# rounding of a sum does not shrink with its result.
SMALL = 0.01


@dataclass(frozen=True)
class Result:
    """One expected array.

    Attributes:
        key: its name.
        error: the largest one, in the measure of the tolerance.
        tolerance: for people.
        passed: within the tolerance.
        limit: number that `error` must not exceed, where the tolerance is one number.
    """

    key: str
    error: str
    tolerance: str
    passed: bool
    limit: float | None = None

    def __str__(self) -> str:
        return f"{self.key}: {self.error} (tolerance: {self.tolerance})"


@dataclass(frozen=True)
class Arrays:
    """What rules read of a case.

    Attributes:
        case: case.json.
        inputs, expected: of the case.
        found: of the adapter; names that begin with "_" are not expected, they are for rules.
    """

    case: dict
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]
    found: dict[str, np.ndarray]

    @cached_property
    def tolerance(self) -> dict:
        """Key -> tolerance."""
        return self.case["tolerance"]


def compare(arrays: Arrays) -> list[Result]:
    """Compare all expected arrays; what is missing, or has no tolerance, did not pass."""
    results = []
    for key in arrays.expected:
        tolerance = arrays.tolerance.get(key)
        if tolerance is None:
            results.append(Result(key, "not compared", "none stated", False))
        elif isinstance(tolerance, str):
            results.append(_by_sentence(arrays, key, tolerance))
        else:
            results.append(_by_bounds(arrays, key, tolerance))
    for key in arrays.tolerance.keys() - arrays.expected.keys():
        results.append(Result(key, "not compared", "stated for an array that is not there", False))
    return results


# -- bounds ------------------------------------------------------------------------------------


def _by_bounds(arrays: Arrays, key: str, bounds: dict) -> Result:
    unknown = bounds.keys() - {
        "max_abs",
        "max_rel",
        "max_rel_to_peak",
        "peak",
        "rms",
        "observed",
        "note",
    }
    named = [name for name in ("max_abs", "max_rel") if name in bounds]
    text = ", ".join(f"{name} {bounds[name]:g}" for name in named)
    if unknown or len(named) != 1:
        return Result(key, "not compared", f"bounds not understood: {sorted(bounds)}", False)
    found, problem = _found(arrays, key)
    if problem:
        return Result(key, problem, text, False)
    expected = arrays.expected[key]
    if rows := _rows_of(arrays, bounds.get("note", "")):
        name, number = rows
        kept = arrays.expected[name] == number
        found, expected = found[kept], expected[kept]
        text += f" where {name}=={number}"
    measure = largest_difference if named == ["max_abs"] else largest_relative_difference
    error, limit = measure(found, expected), bounds[named[0]]
    return Result(key, f"{error:.3g}", text, error <= limit, limit)


def largest_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest |found - expected|; infinite where only one is, or is another infinity."""
    found, expected = (np.atleast_1d(np.asarray(a, np.float64)) for a in (found, expected))
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected)
    difference[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0
    difference[np.isnan(difference)] = np.inf
    return float(difference.max(initial=0))


def largest_relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest |found - expected| / |expected| (see SMALL)."""
    size = np.abs(np.asarray(expected, np.float64))
    size = np.maximum(size, SMALL * size.max(initial=0))
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    # an entry that should be 0 in an array of zeros must be 0
    size = np.where(size == 0, np.finfo(np.float64).tiny, size)
    with np.errstate(over="ignore"):
        return largest_difference(found / size, expected / size)


def _found(arrays: Arrays, key: str) -> tuple[np.ndarray, str]:
    """Return the found array, and what is wrong with it at first sight."""
    if key not in arrays.found:
        return np.zeros(0), "missing"
    found, expected = np.asarray(arrays.found[key]), arrays.expected[key]
    if found.shape != expected.shape:
        return found, f"shape {found.shape}, expected {expected.shape}"
    if np.issubdtype(expected.dtype, np.floating) != np.issubdtype(found.dtype, np.floating):
        return found, f"type {found.dtype}, expected {expected.dtype}"
    return found, ""


def _rows_of(arrays: Arrays, sentence: str) -> tuple[str, int] | None:
    """Return (name, number) of "rows with name==number"."""
    match = re.search(r"rows with (\w+)==(\d+)", sentence)
    return (match.group(1), int(match.group(2))) if match else None


# -- sentences ---------------------------------------------------------------------------------

Rule = Callable[[Arrays, str, re.Match], Result]
RULES: list[tuple[re.Pattern, Rule]] = []


def rule(pattern: str) -> Callable[[Rule], Rule]:
    """Add a rule for sentences that match; the first that matches counts."""

    def add(function: Rule) -> Rule:
        RULES.append((re.compile(pattern), function))
        return function

    return add


def _by_sentence(arrays: Arrays, key: str, sentence: str) -> Result:
    for pattern, function in RULES:
        if match := pattern.match(sentence):
            _, problem = _found(arrays, key)
            return (
                Result(key, problem, sentence, False) if problem else function(arrays, key, match)
            )
    return Result(key, "not compared", f"sentence not understood: {sentence}", False)


def different(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return where entries differ; floating entries are compared in the stored type."""
    if np.issubdtype(expected.dtype, np.floating):
        found = np.asarray(found, expected.dtype)
    return np.asarray(found) != expected


@rule(r"exact(;|$)")
def exact(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Equal arrays; what follows a semicolon explains."""
    count = int(different(arrays.found[key], arrays.expected[key]).sum())
    return Result(key, f"{count} entries differ", "exact", count == 0, 0)


@rule(r"exact \(rows with \w+==\d+; elsewhere any voxel at the same (\w+) is correct\)")
def exact_or_as_near(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Rows without a tie are equal; the others are source voxels at the stated distance."""
    name, number = _rows_of(arrays, match.group(0))
    found, expected = np.asarray(arrays.found[key]), arrays.expected[key]
    wrong = different(found, expected).any(axis=1)
    tied = arrays.expected[name] != number
    (there,) = (v for n, v in arrays.inputs.items() if re.fullmatch(r"source_voxels\d+", n))
    occupied = (found[tied, None] == there[None]).all(axis=2).any(axis=1)
    distance = ((arrays.expected["query_voxel"][tied].astype(int) - found[tied]) ** 2).sum(axis=1)
    wrong[tied] = ~occupied | (distance != arrays.expected[match.group(1)][tied])
    count = int(wrong.sum())
    return Result(key, f"{count} rows wrong, {tied.sum()} tied", match.group(0), count == 0, 0)


@rule(r"exact except voxels with \|logit\| below the logits tolerance")
def exact_but_for_small_logits(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Bits may differ where the found logit, hence the expected one, is within its tolerance of 0."""
    logits = arrays.found["_logits"]
    bits = [np.unpackbits(a[key], count=logits.size) for a in (arrays.found, arrays.expected)]
    flipped = np.abs(logits.ravel()[bits[0] != bits[1]])
    (limit,) = (t["max_abs"] for k, t in arrays.tolerance.items() if k.startswith("logits"))
    wrong = int((flipped > limit).sum())
    own = not (bits[0] != (logits.ravel() > 0)).any()
    error = f"{len(flipped)} bits differ, {wrong} of them with |logit| > {limit:g}"
    return Result(key, error, match.group(0), own and wrong == 0)


@rule(r"follows occupied_bits")
def coordinates_of_bits(arrays: Arrays, key: str, match: re.Match) -> Result:
    """First rows of (batch, x, y, z) of the found bits, which another rule compares."""
    logits = arrays.found["_logits"]
    bits = np.unpackbits(arrays.found["occupied_bits"], count=logits.size).reshape(logits.shape)
    expected = np.argwhere(bits)[: len(arrays.expected[key]), [0, 2, 3, 4]]
    same = np.array_equal(arrays.found["occupied_bits"], arrays.expected["occupied_bits"])
    count = int((arrays.found[key] != (arrays.expected[key] if same else expected)).sum())
    return Result(key, f"{count} entries differ", match.group(0), count == 0, 0)


@rule(
    r"exact with the listed Pillow; another resampler build: "
    r"at most (\d+) grey level on <= ([\d.]+) % of values"
)
def exact_up_to_resampling(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Equal with the Pillow that made the case, nearly so with others."""
    difference = np.abs(arrays.found[key].astype(int) - arrays.expected[key].astype(int))
    share = float((difference > 0).mean())
    error = f"{difference.max(initial=0)} grey levels, on {100 * share:.3g} % of values"
    if version("pillow") == arrays.case["versions"]["pillow"]:
        return Result(key, error, "exact (the listed Pillow)", share == 0)
    level, percent = int(match.group(1)), float(match.group(2))
    passed = difference.max(initial=0) <= level and 100 * share <= percent
    return Result(key, error, f"{level} grey level on {percent:g} % of values", passed)


@rule(
    r"views (\d+)-(\d+): mean \|alpha/255 - coverage\| <= ([\d.]+) .*"
    r"IoU of \(alpha>(\d+)\) >= ([\d.]+)"
)
def silhouettes(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Mean difference of coverage and overlap of silhouettes, per view."""
    first, last, threshold = (int(match.group(n)) for n in (1, 2, 4))
    mean, overlap = float(match.group(3)), float(match.group(5))
    views = slice(first, last + 1)
    found, expected = (a[key][views].astype(float) for a in (arrays.found, arrays.expected))
    difference = np.abs(found - expected).mean(axis=(1, 2)) / 255
    solid = found > threshold, expected > threshold
    union = (solid[0] | solid[1]).sum(axis=(1, 2))
    iou = (solid[0] & solid[1]).sum(axis=(1, 2)) / np.maximum(union, 1)
    passed = len(difference) > 0 and difference.max() <= mean and iou.min() >= overlap
    error = f"mean {difference.max(initial=0):.2g}, IoU {iou.min(initial=1):.4f}"
    text = f"views {first}-{last}: mean {mean:g}, IoU {overlap:g}"
    return Result(key, error, text, bool(passed))


@rule(r"exact where (\w+) > ([\d.e+-]+)$")
def exact_but_for_ties(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Entries may differ where the stated margin, an expected array, is next to nothing."""
    sure = arrays.expected[match.group(1)] > float(match.group(2))
    wrong = different(arrays.found[key], arrays.expected[key]) & sure
    error = f"{int(wrong.sum())} of {int(sure.sum())} entries differ"
    return Result(key, error, match.group(0), not wrong.any(), 0)


@rule(r"upper bound \(x([\d.]+)\)$")
def at_most(arrays: Arrays, key: str, match: re.Match) -> Result:
    """A sum to be made small may be smaller than the expected one, and hardly larger."""
    share = float(arrays.found[key]) / float(arrays.expected[key])
    passed = share <= float(match.group(1))
    return Result(key, f"{share:.4f} times the expected", match.group(0), passed)


@rule(r"not required; .* must reach an objective <= (\w+)\*([\d.]+)$")
def as_good(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Any solution counts whose objective, compared by a rule of its own, is as small."""
    name, factor = match.group(1), float(match.group(2))
    found, expected = float(arrays.found[name]), float(arrays.expected[name])
    error = f"{name} {found:.5g}, expected {expected:.5g}"
    return Result(key, error, match.group(0), found <= factor * expected)


@rule(r"informational")
def informational(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Nothing is demanded but the shape; the share of equal entries is told."""
    share = float(np.mean(~different(arrays.found[key], arrays.expected[key])))
    return Result(key, f"{share:.4f} of the entries are equal", "none", True)


@rule(r"exact \(as a partition")
def same_partition(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Rows share an id where the expected ones do; the ids themselves say nothing."""
    both = np.stack([np.asarray(arrays.found[key]), arrays.expected[key]])
    pairs = np.unique(both, axis=1).shape[1]
    groups = [len(np.unique(ids)) for ids in both]
    error = f"{groups[0]} groups, {groups[1]} expected, {pairs} in common"
    return Result(key, error, "same partition", groups == [pairs, pairs])


@rule(r"at most one float16 step \+ ([\d.e-]+)")
def rounded_to_float16(arrays: Arrays, key: str, match: re.Match) -> Result:
    """Equal after rounding to float16, but for one step and what the unrounded values may differ."""
    expected = arrays.expected[key]
    with np.errstate(over="ignore"):
        found = np.asarray(arrays.found[key]).astype(np.float16)
    step = np.spacing(np.abs(expected)).astype(np.float64)
    difference = np.abs(found.astype(np.float64) - expected)
    beyond = float((difference - step).max(initial=-np.inf))
    limit = float(match.group(1))
    error = f"{difference.max(initial=0):.3g}, {max(beyond, 0):.3g} beyond one step"
    passed = bool(np.isfinite(difference).all()) and beyond <= limit
    return Result(key, error, f"one float16 step + {limit:g}", passed)
