"""Stage `sheets`: contact sheets of one pose of an experiment, all methods side by side."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from semcorr.evaluation.segmentation import score_pair
from semcorr.geometry.mesh import Mesh
from semcorr.report.contact_sheet import (
    Prediction,
    SheetSource,
    SheetTarget,
    SheetText,
    correspondence_sheet,
    part_sheet,
)
from semcorr.report.picture import png_bytes
from semcorr.stages.dense_sheet import dense_sheet
from semcorr.stages.job import StageJob, run_alone
from semcorr.stages.pose_pairs import PosePairs
from semcorr.stages.score_coseg import labelled_pairs, part_names
from semcorr.stages.texture_sheet import texture_sheet
from semcorr.store.files import write_bytes

ROWS = 6
CELL = 150


@dataclass(frozen=True)
class Sheet:
    """One pose with the maps of all methods.

    Attributes:
        methods: method -> its pairs.
        shown: (source, target) of each row.
        names: part names.
        text: heading.
    """

    methods: dict[str, PosePairs]
    shown: list[tuple[str, str]]
    names: list[str]
    text: SheetText

    @property
    def any(self) -> PosePairs:
        """Pairs of one method, for what all methods share."""
        return next(iter(self.methods.values()))


def main(job: StageJob) -> None:
    """Write the sheets named in the outputs: `maps`, and by task `parts`, `textures` or `errors`."""
    sheet = _open(job)
    write_bytes(job.outputs["maps"], png_bytes(_map_sheet(sheet)))
    if "textures" in job.outputs:
        write_bytes(job.outputs["textures"], png_bytes(texture_sheet(sheet, CELL)))
    if "errors" in job.outputs:
        write_bytes(job.outputs["errors"], png_bytes(dense_sheet(sheet, CELL)))
    if "parts" in job.outputs:
        write_bytes(job.outputs["parts"], png_bytes(_part_sheet(sheet)))


def _open(job: StageJob) -> Sheet:
    table = json.loads(job.input("table").read_text())
    shared = {n: job.inputs[n] for n in ("meshes", "truth")}
    methods = {
        m: PosePairs.open(matches=job.inputs[f"{m}_matches"], **shared) for m in table["methods"]
    }
    pairs = next(iter(methods.values()))
    experiment, pose = job.wildcards["experiment"], job.wildcards["pose"]
    text = SheetText(
        f"{experiment}, {pose}", f"{len(methods)} methods; the same rows for all of them"
    )
    return Sheet(methods, _choose(methods.values()), part_names(pairs), text)


def _choose(methods: Iterable[PosePairs]) -> list[tuple[str, str]]:
    """Spread the rows over the targets and the sources of maps that are there, whatever the scores."""
    rows = (row for pairs in methods for row in pairs.rows())
    found = sorted({(source, target) for source, target, _, row in rows if row.status == "ok"})
    targets = sorted({target for _, target in found})
    chosen = targets[:: max(1, len(targets) // ROWS)][:ROWS]
    rows = []
    for number, target in enumerate(chosen):
        sources = [s for s, t in found if t == target]
        rows.append((sources[number % len(sources)], target))
    return rows


def _sources(sheet: Sheet) -> list[str]:
    return sorted({source for source, _ in sheet.shown})


def _mesh(pairs: PosePairs, item_id: str) -> Mesh:
    sites = pairs.sites(item_id)
    return Mesh(vertices=sites.positions[: sites.num_vertices], faces=sites.faces)


def _face_labels(sheet: Sheet, item_id: str) -> np.ndarray | None:
    truth = sheet.any.truth_of(item_id)
    if truth is None:
        return None
    common = np.array([*(sheet.names.index(n) for n in truth.label_names), -1])
    return common[truth.face_labels]


def _sheet_sources(sheet: Sheet) -> list[SheetSource]:
    return [
        SheetSource(
            name=source,
            mesh=_mesh(sheet.any, source),
            face_labels=_face_labels(sheet, source),
            sites=sheet.any.sites(source).positions,
        )
        for source in _sources(sheet)
    ]


def _sheet_target(sheet: Sheet, target: str, predictions: dict[str, Prediction]) -> SheetTarget:
    sites = sheet.any.sites(target)
    return SheetTarget(
        name=target,
        mesh=_mesh(sheet.any, target),
        sites=sites.positions[sites.num_vertices :],
        face_labels=_face_labels(sheet, target),
        predictions=predictions,
    )


def _map_sheet(sheet: Sheet) -> np.ndarray:
    sources = _sources(sheet)
    targets = []
    for source, target in sheet.shown:
        predictions = {}
        for method, pairs in sheet.methods.items():
            if (arrays := pairs.map_of(source, target)) is not None:
                samples = arrays["target_to_source"][pairs.sites(target).num_vertices :]
                predictions[method] = Prediction(sources.index(source), target_to_source=samples)
        targets.append(_sheet_target(sheet, target, predictions))
    return correspondence_sheet(
        sheet.text, _sheet_sources(sheet), targets, list(sheet.methods), CELL
    )


def _part_sheet(sheet: Sheet) -> np.ndarray:
    sources = _sources(sheet)
    scored = {m: _scored(pairs, sheet.shown) for m, pairs in sheet.methods.items()}
    targets = []
    for source, target in sheet.shown:
        predictions = {
            method: Prediction(sources.index(source), labels=labels, score=score)
            for method, found in scored.items()
            for labels, score in [found.get((source, target), (None, None))]
            if labels is not None
        }
        targets.append(_sheet_target(sheet, target, predictions))
    return part_sheet(
        sheet.text, _sheet_sources(sheet), targets, list(sheet.methods), sheet.names, CELL
    )


def _scored(pairs: PosePairs, shown: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    found = {}
    for pair in labelled_pairs(pairs, shown):
        if pair.predicted is not None:
            found[pair.source, pair.target] = (pair.predicted, score_pair(pair).mean_iou)
    return found


if __name__ == "__main__":
    run_alone(main, main.__doc__)
