"""Stage `sample`: shapes drawn from a flow network by Euler steps, decoded to voxels."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from semcorr.errors import ItemError, UserError
from semcorr.features.conditions import condition_tokens, prepare_picture, token_encoder
from semcorr.features.image_networks import open_backbone
from semcorr.features.networks import open_network
from semcorr.networks.trellis.flow import Guidance, sample, schedule
from semcorr.report.png import png_bytes
from semcorr.report.sheet_layout import Cell, Row, SheetText, nothing_to_show, sheet
from semcorr.seeds import seed_of
from semcorr.stages.matched.pose_pairs import by_id, find_item
from semcorr.stages.pictures.voxel_pictures import (
    SIZE,
    decoded_cells,
    drawing,
    machine,
    open_decoder,
)
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.chunk import ChunkReader
from semcorr.store.files import write_bytes, write_json

SCHEMA = 1


def main(job: StageJob) -> None:
    """Write samplings/{sampling}.json, one entry a sample, and the picture."""
    flow = open_network("SparseStructureFlowModel", job.input("weights"), machine(job), False)
    decoder = open_decoder(job)
    rows, records = [], []
    for name, picture, tokens in conditions(job, flow):
        if isinstance(tokens, ItemError):
            records.append({"item": name, "status": tokens.status, "reason": tokens.reason})
            continue
        cells = [] if picture is None else [Cell(picture, "")]
        samples = tqdm(
            enumerate(sampled(job.cfg, flow, tokens)),
            total=job.cfg["count"],
            desc=name or job.wildcards["sampling"],
            unit="sample",
            mininterval=2,
        )
        for number, latent in samples:
            found, resolution = decoded_cells(decoder, latent)
            record = {"item": name or None, "status": "ok", "number": number}
            records.append(record | {"voxels": len(found)})
            cells.append(drawing(found, resolution, f"{len(found)} voxels"))
        rows.append(Row(name or "no condition", "", cells))
    manifest = {"schema": SCHEMA, "sampling": job.wildcards["sampling"], "samples": records}
    write_json(job.outputs["manifest"], manifest | {"inputs": job.input_hashes()})
    write_bytes(job.outputs["picture"], png_bytes(_picture(job, rows)))


def sampled(
    cfg: dict[str, Any], flow: nn.Module, tokens: Float[Tensor, "1 m d"]
) -> Iterator[Float[Tensor, "c r r r"]]:
    """Yield latents under one condition; the noise of a number is the same under all of them."""
    guidance = Guidance(cfg["guidance"] if cfg["render"] else 0.0, tuple(cfg["interval"]))
    times = schedule(cfg["steps"], cfg["rescale_t"])
    device = next(flow.parameters()).device
    for number in range(cfg["count"]):
        random = np.random.default_rng(seed_of(cfg["global_seed"], "sampling", str(number)))
        shape = (1, flow.in_channels, *[flow.resolution] * 3)
        noise = torch.from_numpy(random.standard_normal(shape, dtype=np.float32)).to(device)
        yield sample(flow, noise, tokens.to(device), times, guidance).samples[0].float().cpu()


def conditions(
    job: StageJob, flow: nn.Module
) -> Iterator[tuple[str, UInt8[np.ndarray, "s s 4"] | None, Float[Tensor, "1 m d"] | ItemError]]:
    """Yield (item, its picture, condition tokens or why there are none); once "" without pictures."""
    if not job.cfg["render"]:
        yield "", None, torch.zeros(1, 1, flow.cond_channels)
        return
    renders = by_id([ChunkReader(path) for path in job.inputs["renders"]])
    tokens_of = _token_maker(job, flow)
    for item_id in job.cfg["items"]:
        try:
            views = find_item(renders, item_id, ("rgba",))["rgba"]
            if job.cfg["view"] >= len(views):
                raise UserError(f"view: {job.cfg['view']}, but there are views 0..{len(views) - 1}")
            picture = views[job.cfg["view"]]
            shown = np.asarray(Image.fromarray(picture).resize((SIZE, SIZE)))
            yield item_id, shown, tokens_of(picture)
        except ItemError as error:
            yield item_id, None, error


def _token_maker(job: StageJob, flow: nn.Module) -> Callable[[np.ndarray], Float[Tensor, "1 m d"]]:
    backbone = open_backbone(job.cfg["backbone"], job.input("image_encoder"), machine(job))
    encoder = token_encoder(backbone)
    if encoder.embed_dim != flow.cond_channels:
        raise UserError(
            f"image_encoder: tokens of {job.cfg['backbone']} have {encoder.embed_dim} channels, the"
            f" flow network reads {flow.cond_channels}"
        )
    size = job.cfg["image_size"]
    return lambda picture: condition_tokens(encoder, prepare_picture(picture, size)[None])


def _picture(job: StageJob, rows: list[Row]) -> np.ndarray:
    cfg = job.cfg
    text = SheetText(
        job.wildcards["sampling"],
        f"{cfg['steps']} steps through {cfg['weights']}"
        + (f", guidance {cfg['guidance']:g}" if cfg["render"] else ", no condition"),
    )
    if not any(cell.picture is not None for row in rows for cell in row.cells):
        return nothing_to_show(text, "nothing to show: no sample has a voxel")
    columns = [f"Sample {number + 1}" for number in range(cfg["count"])]
    return sheet(text, [], (["Picture"] if cfg["render"] else []) + columns, rows, [], {})


if __name__ == "__main__":
    run_alone(main, main.__doc__)
