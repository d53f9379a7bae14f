"""Result documents: one per method, merged into one per experiment, and rendered as text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from semcorr.evaluation.bootstrap import rounded

SCHEMA = 1
HEAD = ("schema", "experiment", "category", "source_category")


def method_document(
    experiment: str,
    category: str,
    method: str,
    poses: Mapping[str, Mapping[str, Any]],
    inputs: Mapping[str, str],
    source_category: str | None = None,
) -> dict[str, Any]:
    """Return the document of one method, in the frame of the experiment's document.

    Args:
        experiment: name of the experiment.
        category: of its shapes.
        method: name of the method.
        poses: summary per pose (`segmentation.summarise` or `keypoints.summarise`).
        inputs: sha256 per input path.
        source_category: of the sources, where it is another; else the document does not say it.
    """
    of_sources = {} if source_category is None else {"source_category": source_category}
    return rounded(
        {
            "schema": SCHEMA,
            "experiment": experiment,
            "category": category,
            **of_sources,
            "methods": {method: dict(poses)},
            "inputs": dict(sorted(inputs.items())),
        }
    )


def merge_documents(
    documents: Sequence[Mapping[str, Any]], methods: Sequence[str]
) -> dict[str, Any]:
    """Merge documents of single methods into `results/{task}/{experiment}.json`.

    Args:
        documents: one per method, any order, of one experiment.
        methods: the methods' order in the result; exactly those of the documents.

    Raises:
        ValueError: documents of different experiments, a method twice or missing, or one input path
            with two hashes (the documents were made from different data).
    """
    if not documents:
        raise ValueError("documents: expected at least one, got none")
    found: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    for document in documents:
        for key in HEAD:
            expected, got = documents[0].get(key), document.get(key)
            if got != expected:
                raise ValueError(f"{key}: expected {expected!r} in all documents, got {got!r}")
        for name, poses in document["methods"].items():
            if name in found:
                raise ValueError(f"methods: expected each once, got {name!r} twice")
            found[name] = poses
        for path, digest in document["inputs"].items():
            if inputs.setdefault(path, digest) != digest:
                raise ValueError(f"inputs: {path} has two hashes; run the evaluation again")
    if sorted(found) != sorted(methods):
        raise ValueError(f"methods: expected {sorted(methods)}, got {sorted(found)}")
    return rounded(
        {
            **{key: documents[0][key] for key in HEAD if key in documents[0]},
            "methods": {name: found[name] for name in methods},
            "inputs": dict(sorted(inputs.items())),
        }
    )


def to_json(document: Mapping[str, Any]) -> str:
    """Return the text of a result file; equal documents give equal bytes."""
    return json.dumps(rounded(dict(document)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def render(document: Mapping[str, Any], measure: str = "mean_iou") -> str:
    """Return a table of one measure: rows methods, columns poses, the best of a column marked `*`.

    Where sources vote, every method has a row of each number of voters besides.

    Args:
        document: of an experiment.
        measure: a number of every summary, such as `mean_iou` or `acc_010`.
    """
    methods = {row: poses for row, (_, poses) in with_votes(document["methods"]).items()}
    poses = list(dict.fromkeys(pose for summary in methods.values() for pose in summary))
    best = {
        pose: max(
            (s[pose][measure] for s in methods.values() if _has(s, pose, measure)), default=None
        )
        for pose in poses
    }
    rows = [["method", *poses]]
    for name, summary in methods.items():
        cells = [_cell(summary, pose, measure, best[pose]) for pose in poses]
        rows.append([name, *cells])
    return _text(rows)


def with_votes(
    methods: Mapping[str, Mapping[str, Any]],
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return {row: (method, {pose: summary})}: each method, below it what its sources vote for."""
    rows: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, poses in methods.items():
        rows[name] = (name, dict(poses))
        for pose, summary in poses.items():
            for voters, voted in summary.get("votes", {}).items():
                rows.setdefault(f"{name}, {voters} vote", (name, {}))[1][pose] = voted
    return rows


def _has(summary: Mapping[str, Any], pose: str, measure: str) -> bool:
    return pose in summary and summary[pose].get(measure) is not None


def _cell(summary: Mapping[str, Any], pose: str, measure: str, best: float | None) -> str:
    if not _has(summary, pose, measure):
        return "-"
    value = f"{summary[pose][measure]:.3f}"
    return f"{value}*" if summary[pose][measure] == best else f"{value} "


def _text(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    return "\n".join(lines) + "\n"
