"""Stage `sheets`: contact sheets of one pose of an experiment, all methods side by side."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from semcorr.errors import UserError
from semcorr.evaluation.segmentation import score_pair
from semcorr.report.colours import position_colours, rainbow_colours
from semcorr.report.contact_sheet import Prediction, SheetText, correspondence_sheet, part_sheet
from semcorr.report.png import png_bytes
from semcorr.stages.matched.coseg_labels import has_labels, labelled_pairs, part_names
from semcorr.stages.matched.pose_pairs import PosePairs
from semcorr.stages.pictures.dense_sheet import dense_sheet
from semcorr.stages.pictures.sheet_pose import Sheet, sheet_sources, sheet_target, sources_of_rows
from semcorr.stages.pictures.texture_sheet import texture_sheet
from semcorr.stages.pictures.vote_sheet import vote_sheet
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes

ROWS = 6
CELL = 150
COLOURS = {"positions": position_colours, "rainbow": rainbow_colours}


def main(job: StageJob) -> None:
    """Write the sheets named in the outputs.

    `maps`: colours along every map; `parts`: labels of one source; `votes`: labels that several vote
    for; `textures`: the sources' textures; `errors`: distances to the true places.
    """
    sheet = _open(job)
    for name, path in job.outputs.items():
        write_bytes(path, png_bytes(DRAW[name](sheet, job)))


def _vote_sheet(sheet: Sheet, job: StageJob) -> np.ndarray:
    if not job.cfg["votes"]:
        raise UserError(f"coseg.{job.wildcards['experiment']}: no `votes` to draw")
    return vote_sheet(sheet, job.cfg["votes"], CELL)


def _open(job: StageJob) -> Sheet:
    table = json.loads(job.input("table").read_text())
    shared = {n: job.inputs[n] for n in ("meshes", "truth")}
    shared["part_names"] = job.cfg.get("part_names")
    methods = {
        m: PosePairs.open(matches=job.inputs[f"{m}_matches"], **shared) for m in table["methods"]
    }
    pairs = next(iter(methods.values()))
    experiment, pose = job.wildcards["experiment"], job.wildcards["pose"]
    what = f"{len(methods)} methods; the same rows for all of them" if len(methods) > 1 else ""
    text = SheetText(f"{experiment}, {pose}", what)
    return Sheet(methods, _choose(methods.values()), part_names(pairs), text)


def _choose(methods: Iterable[PosePairs]) -> list[tuple[str, str]]:
    """Spread the rows over the targets and the sources of maps that are there, whatever the scores.

    Sources without labels, which carry nothing, are shown where a target has no others.
    """
    methods = list(methods)
    rows = (row for pairs in methods for row in pairs.rows())
    found = sorted({(source, target) for source, target, _, row in rows if row.status == "ok"})
    labelled = {s for s in {source for source, _ in found} if has_labels(methods[0], s)}
    targets = sorted({target for _, target in found})
    chosen = targets[:: max(1, len(targets) // ROWS)][:ROWS]
    rows = []
    for number, target in enumerate(chosen):
        sources = [s for s, t in found if t == target]
        sources = [s for s in sources if s in labelled] or sources
        rows.append((sources[number % len(sources)], target))
    return rows


def _map_sheet(sheet: Sheet, job: StageJob) -> np.ndarray:
    sources = sources_of_rows(sheet)
    targets = []
    for source, target in sheet.shown:
        predictions = {}
        for method, pairs in sheet.methods.items():
            if (arrays := pairs.map_of(source, target)) is not None:
                samples = arrays["target_to_source"][pairs.sites(target).num_vertices :]
                predictions[method] = Prediction(sources.index(source), target_to_source=samples)
        targets.append(sheet_target(sheet, target, predictions))
    return correspondence_sheet(
        sheet.text,
        sheet_sources(sheet, sources),
        targets,
        list(sheet.methods),
        CELL,
        COLOURS[job.cfg["colours"]],
    )


def _part_sheet(sheet: Sheet, job: StageJob) -> np.ndarray:
    sources = sources_of_rows(sheet)
    carried = {m: _carried(pairs, sheet.shown) for m, pairs in sheet.methods.items()}
    targets = []
    for source, target in sheet.shown:
        predictions = {
            method: Prediction(sources.index(source), labels=labels, score=score)
            for method, found in carried.items()
            for labels, score in [found.get((source, target), (None, None))]
            if labels is not None
        }
        targets.append(sheet_target(sheet, target, predictions))
    return part_sheet(
        sheet.text, sheet_sources(sheet, sources), targets, list(sheet.methods), sheet.names, CELL
    )


def _carried(pairs: PosePairs, shown: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Return {(source, target): labels and score}; the score is None where the target has no labels."""
    found = {}
    for pair in labelled_pairs(pairs, shown, targets_without=True):
        if pair.predicted is not None:
            found[pair.source, pair.target] = (pair.predicted, score_pair(pair).mean_iou)
    return found


DRAW = {
    "maps": _map_sheet,
    "parts": _part_sheet,
    "votes": _vote_sheet,
    "textures": lambda sheet, job: texture_sheet(sheet, CELL),
    "errors": lambda sheet, job: dense_sheet(sheet, CELL),
}

if __name__ == "__main__":
    run_alone(main, main.__doc__)
