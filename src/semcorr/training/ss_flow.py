"""Objective of the sparse-structure flow network: rectified flow on latents (HNSR section 4)."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr.errors import ItemError, UserError
from semcorr.features.conditions import condition_tokens, prepare_picture, token_encoder
from semcorr.networks.backbones import load_backbone
from semcorr.networks.trellis.dit import SparseStructureFlowModel
from semcorr.networks.trellis.loading import network_from
from semcorr.networks.weight_files import weight_files
from semcorr.store.items import Arrays
from semcorr.training.loop import generator
from semcorr.training.losses import drop_conditions, flow_loss, sample_times
from semcorr.training.materials import Materials, Product, RenderedShape
from semcorr.training.shapes import packed, unpacked
from semcorr.training.ss_vae import occupancies

VERSION = 1
ENCODER = "SparseStructureEncoder"


class Flow:
    """Flow network on latents of procedural shapes, a part of them with pictures.

    Args:
        entry: options of the `models` entry.
        materials: cache, seed, weights of the VAE and of the image encoder, rendered shapes.

    Raises:
        UserError: the VAE has another resolution, or the encoder another width.
    """

    def __init__(self, entry, materials: Materials):
        self.entry, self.materials = entry, materials
        latents = LatentMaker(entry, materials)
        self.train, self.validation = latents.procedural()
        self.pictured = latents.rendered()
        args = flow_args(entry, self.train.shape)
        self.products = (Product("weights.safetensors", "SparseStructureFlowModel", args),)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(materials.seed)
            flow = SparseStructureFlowModel(**args)
        self.networks = {"flow": flow.to(materials.device)}

    def files(self) -> dict[str, torch.nn.Module]:
        """Return the weights file with what is in it."""
        return {"weights.safetensors": self.networks["flow"]}

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of one batch: shapes in a new order each epoch, new noise and times."""
        entry, random = self.entry, generator(self.materials.seed, "flow", step)
        rows = self._rows(step)
        x0 = torch.from_numpy(self.train[rows].astype(np.float32))
        cond = torch.zeros(len(x0), 1, entry.condition_channels)
        if self.pictured is not None:
            cond = self._put_pictures(x0, random)
        noise = torch.randn(x0.shape, generator=random)
        t = sample_times(len(x0), random, entry.time_mean, entry.time_std)
        device = self.materials.device
        inputs = (v.to(device) for v in (x0, noise, t, cond))
        return flow_loss(self.networks["flow"], *inputs), {}

    def _rows(self, step: int) -> np.ndarray:
        count, batch = len(self.train), self.entry.batch
        places = np.arange(step * batch, (step + 1) * batch)
        orders = {
            epoch: np.random.default_rng([self.materials.seed, int(epoch)]).permutation(count)
            for epoch in np.unique(places // count)
        }
        return np.array([orders[p // count][p % count] for p in places])

    def _put_pictures(
        self, x0: Float[Tensor, "b c r r r"], random: torch.Generator
    ) -> Float[Tensor, "b m d"]:
        """Replace a batch's first rows by rendered shapes; return their tokens, zeros for the rest."""
        latents, tokens = self.pictured
        count = round(self.entry.condition_share * len(x0))
        shape = torch.randint(len(latents), (count,), generator=random).numpy()
        view = torch.randint(tokens.shape[1], (count,), generator=random).numpy()
        x0[:count] = torch.from_numpy(latents[shape].astype(np.float32))
        cond = torch.zeros(len(x0), *tokens.shape[2:])
        cond[:count] = torch.from_numpy(tokens[shape, view].astype(np.float32))
        return drop_conditions(cond, self.entry.drop_condition, random)

    def validate(self) -> dict[str, float]:
        """Return the loss on validation latents without pictures, at fixed noise and times."""
        device, entry = self.materials.device, self.entry
        random = generator(self.materials.seed, "flow_validation", 0)
        x0 = torch.from_numpy(self.validation.astype(np.float32))
        noise = torch.randn(x0.shape, generator=random)
        t = sample_times(len(x0), random, entry.time_mean, entry.time_std)
        cond = torch.zeros(len(x0), 1, entry.condition_channels)
        total = 0.0
        for part in torch.arange(len(x0)).split(32):
            inputs = (v[part].to(device) for v in (x0, noise, t, cond))
            total += float(flow_loss(self.networks["flow"], *inputs)) * len(part)
        return {"loss": total / len(x0)}


class LatentMaker:
    """Latents (and condition tokens) from another training's networks, computed once."""

    def __init__(self, entry, materials: Materials):
        self.entry, self.materials = entry, materials
        found = weight_files(materials.weights["vae"])
        if found.description.get("name") != ENCODER:
            raise UserError(f"{materials.weights['vae']}: holds no {ENCODER}")
        resolution = found.description.get("config", {}).get("resolution", entry.resolution)
        if resolution != entry.resolution:
            raise UserError(
                f"resolution: {entry.resolution} does not fit {materials.weights['vae']}, "
                f"which was trained at {resolution}"
            )
        self.encoder = network_from(ENCODER, found.description["args"], found.path)
        self.encoder.to(materials.device)

    def procedural(self) -> list[Float[np.ndarray, "n c r r r"]]:
        """Return float16 latents of the training and of the validation shapes."""
        found = []
        for name, bits in zip(
            ("training", "validation"), occupancies(self.entry, self.materials), strict=True
        ):

            def rows(numbers: range, bits=bits) -> Arrays:
                return {"mean": self._encode(bits[numbers.start : numbers.stop])}

            found.append(self.materials.cached(f"{name}_latents", len(bits), rows, False)["mean"])
        return found

    @torch.inference_mode()
    def _encode(self, bits: np.ndarray) -> np.ndarray:
        device = self.materials.device
        bf16 = self.entry.precision == "bf16"
        means = []
        for part in np.array_split(bits, max(1, len(bits) // 16)):
            grids = unpacked(part, self.entry.resolution).to(device)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
                means.append(self.encoder(grids).mean.half().cpu().numpy())
        return np.concatenate(means)

    def rendered(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return latents (n, c, r, r, r) and tokens (n, v, m, d) of rendered shapes, or None."""
        weights = self.materials.weights.get("image_encoder")
        if weights is None or self.materials.rendered is None:
            return None
        found = weight_files(weights)
        backbone = found.description.get("args", {}).get("backbone")
        if backbone is None:
            raise UserError(f"{weights}: does not say which backbone it is")
        encoder = token_encoder(load_backbone(backbone, found.path, self.materials.device))
        if encoder.embed_dim != self.entry.condition_channels:
            raise UserError(
                f"condition_channels: {self.entry.condition_channels} does not fit {weights}, "
                f"whose tokens have {encoder.embed_dim} channels"
            )
        shapes = self.materials.rendered()

        def rows(numbers: range) -> Arrays:
            bits, tokens = [], []
            for shape in shapes[numbers.start : numbers.stop]:
                bits.append(packed(shape.mesh.vertices, shape.mesh.faces, self.entry.resolution))
                pictures = prepared_pictures(shape, self.entry.image_size)
                tokens.append(condition_tokens(encoder, pictures).half().numpy())
            return {"mean": self._encode(np.stack(bits)), "tokens": np.stack(tokens)}

        found = self.materials.cached("rendered_latents", len(shapes), rows, False)
        return found["mean"], found["tokens"]


def prepared_pictures(shape: RenderedShape, size: int) -> UInt8[np.ndarray, "v s s 3"]:
    """Return all pictures of a shape as the image encoder gets them.

    Raises:
        UserError: one shows no object, or has no transparent background.
    """
    prepared = []
    for view, picture in enumerate(shape.views(("rgba",))["rgba"]):
        try:
            prepared.append(prepare_picture(picture, size))
        except ItemError as error:
            raise UserError(
                f"{shape.id}: view {view}: {error.reason}; take the shape out of the training's"
                " `datasets`, or render it otherwise"
            ) from error
    return np.stack(prepared)


def flow_args(entry, latents_shape: tuple[int, ...]) -> dict:
    """Return constructor arguments of the flow network for latents (n, c, r, r, r)."""
    channels, side = latents_shape[1], latents_shape[2]
    return {
        "resolution": side,
        "in_channels": channels,
        "model_channels": entry.model_channels,
        "cond_channels": entry.condition_channels,
        "out_channels": channels,
        "num_blocks": entry.blocks,
        "num_heads": entry.heads,
        "mlp_ratio": 4,
        "patch_size": 1,
        "pe_mode": "ape",
        "qk_rms_norm": entry.qk_rms_norm,
        "use_fp16": False,
    }


objective = Flow
