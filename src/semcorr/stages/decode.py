"""Stage `decode`: latents of some items through the decoder, beside the voxels they were made of."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn
from tqdm import tqdm

from semcorr.errors import ItemError, UserError
from semcorr.evaluation.bootstrap import mean_or_none, rounded
from semcorr.geometry.voxels import occupancy, split_yaws
from semcorr.report.png import png_bytes
from semcorr.report.sheet_layout import Cell, Row, SheetText, nothing_to_show, sheet
from semcorr.stages.matched.pose_pairs import by_id, find_item
from semcorr.stages.pictures.voxel_pictures import decoded_cells, drawing, open_decoder
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader
from semcorr.store.files import write_bytes, write_json

SCHEMA = 1


def main(job: StageJob) -> None:
    """Write decodings/{decoding}.json, with the IoU of every item, and the picture."""
    decoder = open_decoder(job)
    latents, voxels = ([ChunkReader(p) for p in job.inputs[n]] for n in ("latents", "voxels"))
    resolution = voxels[0].attributes["cfg"]["resolution"]
    latent_of, voxels_of = by_id(latents), by_id(voxels)
    rows, records = [], []
    name = job.wildcards["decoding"]
    for item_id in tqdm(job.cfg["items"], desc=name, unit="item", mininterval=2):
        try:
            grid = find_item(latent_of, item_id)["latents"][0]
            cells = split_yaws(find_item(voxels_of, item_id))[0]
        except ItemError as error:
            records.append({"id": item_id, "status": error.status, "reason": error.reason})
            rows.append(Row(item_id, "", [Cell(None, error.status)] * 2))
            continue
        found = _decoded(decoder, grid, resolution)
        iou = cell_iou(cells, found, resolution)
        counts = {"voxels": len(cells), "decoded": len(found), "iou": iou}
        records.append({"id": item_id, "status": "ok"} | counts)
        drawn = [drawing(cells, resolution, f"{len(cells)} voxels")]
        drawn.append(drawing(found, resolution, f"IoU {iou:.3f}"))
        rows.append(Row(item_id, "", drawn))
    write_json(job.outputs["manifest"], _manifest(job, records))
    write_bytes(job.outputs["picture"], png_bytes(_picture(job, rows)))


def _decoded(decoder: nn.Module, grid: np.ndarray, resolution: int) -> Int[np.ndarray, "n 3"]:
    cells, side = decoded_cells(decoder, torch.from_numpy(np.asarray(grid, np.float32)))
    if side != resolution:
        raise UserError(
            f"decoder: makes {side}^3 cells of these latents, which were made of {resolution}^3;"
            " name the decoder that was trained with the encoder"
        )
    return cells


def cell_iou(
    first: Int[np.ndarray, "n 3"], second: Int[np.ndarray, "m 3"], resolution: int
) -> float:
    """Intersection over union of two sets of occupied cells; 0 where both are empty."""
    a, b = (occupancy(cells, resolution) > 0 for cells in (first, second))
    union = int((a | b).sum())
    return float((a & b).sum() / union) if union else 0.0


def _manifest(job: StageJob, records: list[dict[str, Any]]) -> dict[str, Any]:
    known = [record["iou"] for record in records if record["status"] == "ok"]
    return rounded(
        {
            "schema": SCHEMA,
            "decoding": job.wildcards["decoding"],
            "items": records,
            "mean_iou": mean_or_none(known),
            "inputs": job.input_hashes(),
        }
    )


def _picture(job: StageJob, rows: list[Row]) -> np.ndarray:
    text = SheetText(
        job.wildcards["decoding"],
        f"latents {job.cfg['latent']} of {job.cfg['dataset']}, decoded by {job.cfg['decoder']}",
    )
    if not any(cell.picture is not None for row in rows for cell in row.cells):
        return nothing_to_show(text, "nothing to show: no item has a latent")
    return sheet(text, [], ["Voxels", "Decoded"], rows, [], {})


if __name__ == "__main__":
    run_alone(main, main.__doc__)
