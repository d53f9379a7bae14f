"""What the pictures of decoded and of sampled latents share: networks, cells, drawings of voxels."""

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from semcorr.errors import UserError
from semcorr.features.networks import open_network
from semcorr.features.upstream import Upstream
from semcorr.geometry.voxel_mesh import voxel_mesh
from semcorr.networks.trellis.vae import decode_cells
from semcorr.report.colours import position_colours
from semcorr.report.picture import look_at, paint_points
from semcorr.report.sheet_layout import Cell
from semcorr.stages.running.job import StageJob

SIZE = 170  # pixels of a drawing
# Colours of places in the whole cube, so that equal places look equal in all drawings
_CUBE = np.array([[-0.5] * 3, [0.5] * 3])


def machine(job: StageJob) -> Upstream:
    """Return where and how networks of a job compute."""
    return Upstream(
        seed=job.cfg["global_seed"],
        precision=job.cfg["global_precision"],
        device=job.runtime.device,
        attention=job.runtime.attention,
        threads=job.runtime.threads,
    )


def open_decoder(job: StageJob) -> nn.Module:
    """Load the decoder of a job's inputs."""
    return open_network("SparseStructureDecoder", job.input("decoder"), machine(job), False)


def decoded_cells(
    decoder: nn.Module, latent: Float[Tensor, "c r r r"]
) -> tuple[Int[np.ndarray, "n 3"], int]:
    """Return the occupied cells of one latent and the number of cells per axis.

    Raises:
        UserError: the decoder reads latents of another width.
    """
    expected = decoder.input_layer.in_channels
    if len(latent) != expected:
        raise UserError(
            f"decoder: reads latents of {expected} channels, these have {len(latent)}; name the"
            " decoder that was trained with the encoder"
        )
    logits, cells = decode_cells(decoder, latent[None])
    return cells[:, 1:], logits.shape[-1]


def drawing(cells: Int[np.ndarray, "n 3"], resolution: int, caption: str) -> Cell:
    """Draw voxels in colours of their place; without any, say so."""
    if not len(cells):
        return Cell(None, "empty")
    look = look_at(voxel_mesh(cells, resolution), SIZE, grid=2)
    picture: UInt8[np.ndarray, "s s 4"] = paint_points(look, position_colours(look.position, _CUBE))
    return Cell(picture, caption)
