"""Objective of the image encoder: one surface point, two pictures, one descriptor.

The pictures show one shape from two sides, in other colours and, where copies are made, in other
proportions. Other points of the same shape are what a point is told from, not other shapes: a
descriptor is then free to mean the same on all of them. What ties shapes together is a linear head
that reads from every descriptor how high its point lies, how far from the axis, and how level the
surface is there: known of any shape whose up axis is known, the same under every yaw.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from semcorr.networks.backbones import build_backbone, last_map
from semcorr.seeds import seed_of
from semcorr.training.album import Album, Example
from semcorr.training.materials import Materials, Product

VERSION = 2

# A match counts as found within this distance, longest side = 1
NEAR = 0.05
# Pairs of pictures of the validation
CHECKED = 128


class Contrast:
    """Image encoder on pairs of pictures.

    Args:
        entry: options of the `models` entry.
        materials: rendered shapes, cache, seed.

    Raises:
        UserError: no such backbone; see also `Album`.
    """

    def __init__(self, entry, materials: Materials):
        self.entry, self.materials = entry, materials
        self.album = Album(entry, materials)
        self.backbone = build_backbone(
            entry.backbone, seed=seed_of(materials.seed, "image_encoder")
        )
        blank = torch.zeros(1, 3, entry.size, entry.size)
        with torch.no_grad():
            head = seeded_head(last_map(self.backbone, blank).shape[1], materials.seed)
        encoder = self.backbone.module.to(materials.device)
        self.networks = {"encoder": encoder, "head": head.to(materials.device)}
        arguments = {"backbone": entry.backbone}
        self.products = (Product("weights.safetensors", type(encoder).__name__, arguments),)

    def files(self) -> dict[str, torch.nn.Module]:
        """Return the weights file with what is in it."""
        return {"weights.safetensors": self.networks["encoder"]}

    def _batch(self, what: str, number: int, shapes: Sequence[int], augment: bool) -> list[Example]:
        seed = seed_of(self.materials.seed, what, str(number))
        random = np.random.Generator(np.random.PCG64(seed))
        return [self.album.example(random, shapes, augment) for _ in range(self.entry.batch)]

    def _features(self, examples: list[Example]) -> Float[Tensor, "2 b p c"]:
        """Return the encoder's normed features at the points of both pictures."""
        device = self.materials.device
        pictures = torch.stack([example.pictures for example in examples], dim=1).to(device)
        rule = self.backbone.spec.preprocessing
        mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (rule.mean, rule.std))
        images = (pictures.flatten(0, 1) - mean) / std
        # the layout that convolutions are fastest in
        images = images.contiguous(memory_format=torch.channels_last)
        maps = last_map(self.backbone, images).float()
        pixels = np.stack([example.pixels for example in examples], axis=1)
        grid = torch.from_numpy((pixels / self.entry.size * 2 - 1).astype(np.float32)).to(device)
        rows = F.grid_sample(
            maps, grid.flatten(0, 1)[:, :, None], padding_mode="border", align_corners=False
        )
        return rows[..., 0].transpose(1, 2).unflatten(0, (2, -1))

    def _compared(self, examples: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
        """Return raw features, unit features centred per picture (as when lifted), positions."""
        raw = self._features(examples)
        unit = F.normalize(raw - raw.mean(dim=2, keepdim=True), dim=-1)
        positions = np.stack([example.positions for example in examples], axis=1)
        return raw, unit, torch.from_numpy(positions).float().to(raw.device)

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of one batch and the share of points whose best match is near."""
        entry = self.entry
        examples = self._batch("contrastive_batch", step, self.album.train, True)
        raw, unit, positions = self._compared(examples)
        contrast, found = contrastive_loss(unit, positions, entry)
        wanted = torch.stack([place(example) for example in examples], dim=1).to(raw.device)
        read = F.mse_loss(self.networks["head"](raw).float(), wanted)
        return contrast + entry.place_weight * read, {
            "contrast": float(contrast.detach()),
            "place": float(read.detach()),
            "found": found,
        }

    def validate(self) -> dict[str, float]:
        """Return how many points of held-out shapes are found in another picture, unaugmented."""
        found = []
        for number in range(-(-CHECKED // self.entry.batch)):
            examples = self._batch("contrastive_check", number, self.album.held_out, False)
            _, unit, positions = self._compared(examples)
            found.append(contrastive_loss(unit, positions, self.entry)[1])
        return {"retrieval": float(np.mean(found))}


def seeded_head(width: int, seed: int) -> torch.nn.Linear:
    """Return the linear map from a descriptor to what `place` says of its point."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed_of(seed, "place_head"))
        return torch.nn.Linear(width, 3)


def place(example: Example) -> Float[Tensor, "2 n 3"]:
    """Return height, distance from the axis and levelness of points, each roughly in -1..1."""
    height = 2 * example.positions[..., 2]
    radius = 4 * np.linalg.norm(example.positions[..., :2], axis=-1) - 1
    values = np.stack([height, radius, 2 * example.upness - 1], axis=-1)
    return torch.from_numpy(values.astype(np.float32))


def contrastive_loss(
    unit: Float[Tensor, "2 b n c"], positions: Float[Tensor, "2 b n 3"], entry
) -> tuple[Float[Tensor, ""], float]:
    """Cross-entropy in both directions; points near the right one share its probability.

    Args:
        unit: unit features of the points of both pictures.
        positions: of the points on the original shape; the first `points` are the same in both.
        entry: `points`, `temperature` of the softmax over cosines, `sigma` of the target (a
            Gaussian of the distance on the shape).

    Returns:
        Loss, and the share of points whose most similar point lies within `NEAR`.
    """
    losses, found = [], []
    for one, other in ((0, 1), (1, 0)):
        here = slice(0, entry.points)
        similarity = unit[one][:, here] @ unit[other].transpose(1, 2)
        difference = positions[one][:, here, None] - positions[other][:, None]
        squared = difference.square().sum(-1)
        target = torch.exp(-squared / (2 * entry.sigma**2))
        target = target / target.sum(-1, keepdim=True)
        logits = similarity / entry.temperature
        losses.append(-(target * logits.log_softmax(-1)).sum(-1).mean())
        best = similarity.detach().argmax(dim=2, keepdim=True)
        found.append(float((squared.gather(2, best) < NEAR**2).float().mean()))
    return sum(losses) / 2, sum(found) / 2


objective = Contrast
