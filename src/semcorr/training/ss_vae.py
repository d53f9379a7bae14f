"""Objective of the sparse-structure VAE: occupancy to a latent grid and back (HNSR section 4)."""

import torch
from torch import Tensor

from semcorr.networks.trellis.vae import SparseStructureDecoder, SparseStructureEncoder
from semcorr.training.loop import generator
from semcorr.training.losses import vae_loss
from semcorr.training.materials import Materials, Product
from semcorr.training.shapes import ShapeFamily, unpacked

VERSION = 1


class Autoencoder:
    """Encoder and decoder on procedural shapes.

    Args:
        entry: options of the `models` entry.
        materials: cache and seed.
    """

    def __init__(self, entry, materials: Materials):
        self.entry, self.materials = entry, materials
        self.products = (
            Product("weights.safetensors", "SparseStructureEncoder", encoder_args(entry)),
            Product("decoder.safetensors", "SparseStructureDecoder", decoder_args(entry)),
        )
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(materials.seed)
            encoder = SparseStructureEncoder(**self.products[0].args)
            decoder = SparseStructureDecoder(**self.products[1].args)
        self.networks = {
            # Channels last: norms over the channels then need no copies
            "encoder": encoder.to(materials.device, memory_format=torch.channels_last_3d),
            "decoder": decoder.to(materials.device, memory_format=torch.channels_last_3d),
        }
        self.train_bits, self.validation_bits = occupancies(entry, materials)

    def files(self) -> dict[str, torch.nn.Module]:
        """Return the weights files with what is in them."""
        return dict(zip([p.file for p in self.products], self.networks.values(), strict=True))

    def _grids(self, bits) -> Tensor:
        grids = unpacked(bits, self.entry.resolution).to(self.materials.device)
        return grids.to(memory_format=torch.channels_last_3d)

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of one batch, its shapes in order, and its terms."""
        entry = self.entry
        rows = torch.arange(step * entry.batch, (step + 1) * entry.batch) % len(self.train_bits)
        grids = self._grids(self.train_bits[rows.numpy()])
        side = entry.resolution // 2 ** (len(entry.channels) - 1)
        shape = (len(grids), entry.latent_channels, side, side, side)
        noise = torch.randn(shape, generator=generator(self.materials.seed, "vae", step))
        terms = vae_loss(
            (self.networks["encoder"], self.networks["decoder"]),
            grids,
            noise.to(grids.device),
            entry.loss,
            entry.kl_weight,
        )
        return terms.total, {
            "reconstruction": float(terms.reconstruction.detach()),
            "divergence": float(terms.kl.detach()),
        }

    def validate(self) -> dict[str, float]:
        """Return mean IoU of decoded means on validation shapes, and the latents' spread."""
        overlaps, spread = [], []
        for start in range(0, len(self.validation_bits), 16):
            grids = self._grids(self.validation_bits[start : start + 16])
            mean = self.networks["encoder"](grids).mean
            found = self.networks["decoder"](mean) > 0
            there = grids > 0
            both = (found & there).flatten(1).sum(1)
            overlaps.append(both / (found | there).flatten(1).sum(1))
            spread.append(mean.float().flatten(1).std(1))
        return {
            "iou": float(torch.cat(overlaps).mean()),
            "latent_std": float(torch.cat(spread).mean()),
        }


def occupancies(entry, materials: Materials):
    """Return packed occupancy of the training and of the validation shapes."""
    found = []
    for name, family, count in (
        ("training", entry.family, entry.shapes),
        ("validation", entry.validation_family, entry.validation_shapes),
    ):
        stretch = entry.stretch if name == "training" else 0.0
        shapes = ShapeFamily(entry.categories, family, stretch, entry.resolution)
        found.append(materials.cached(f"{name}_shapes", count, shapes.occupancy, True)["bits"])
    return found


def encoder_args(entry) -> dict:
    """Return constructor arguments of the encoder."""
    return {
        "in_channels": 1,
        "latent_channels": entry.latent_channels,
        "num_res_blocks": entry.num_res_blocks,
        "num_res_blocks_middle": entry.num_res_blocks_middle,
        "channels": list(entry.channels),
        "norm_type": "layer",
        "use_fp16": False,
    }


def decoder_args(entry) -> dict:
    """Return constructor arguments of the decoder, the encoder's mirror."""
    args = encoder_args(entry)
    del args["in_channels"]
    return {"out_channels": 1, **args, "channels": list(reversed(entry.channels))}


objective = Autoencoder
