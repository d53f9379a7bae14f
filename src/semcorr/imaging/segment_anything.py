"""Segment Anything on one picture: what the network is given, and what its answers become."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from semcorr.networks.backbone_spec import IMAGENET_MEAN, IMAGENET_STD

# Prompts that are answered at once: bounds memory
BATCH = 32
# A mask along more of the picture's border than this is what lies behind the object
BORDER_SHARE = 0.5


@dataclass(frozen=True)
class Seen:
    """A picture as the network has seen it.

    Attributes:
        embedding: (1, c, h', w') of the padded square.
        size: (h, w) of the picture.
        resized: (h, w) of the part of the square that is the picture.
        side: of the square.
    """

    embedding: Tensor
    size: tuple[int, int]
    resized: tuple[int, int]
    side: int


@torch.no_grad()
def see(model: nn.Module, picture: UInt8[np.ndarray, "h w 3"]) -> Seen:
    """Run the image encoder, once for all prompts.

    Args:
        model: transformers' SamModel.
        picture: RGB.
    """
    side = model.config.vision_config.image_size
    values, resized = square(picture, side)
    embedding = model.get_image_embeddings(values.to(model.device)).float()
    return Seen(embedding, picture.shape[:2], resized, side)


def square(
    picture: UInt8[np.ndarray, "h w 3"], side: int
) -> tuple[Float[Tensor, "1 3 s s"], tuple[int, int]]:
    """Resize the longer side to the network's, normalise, pad right and below with zeros.

    Returns:
        The square, and (h, w) of the picture in it.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    resized = int(height * scale + 0.5), int(width * scale + 0.5)
    small = Image.fromarray(picture).resize(resized[::-1], Image.Resampling.BILINEAR)
    values = (np.asarray(small, np.float32) / 255 - np.float32(IMAGENET_MEAN)) / np.float32(
        IMAGENET_STD
    )
    padded = np.zeros((side, side, 3), np.float32)
    padded[: resized[0], : resized[1]] = values
    return torch.from_numpy(padded).permute(2, 0, 1)[None].contiguous(), resized


@torch.no_grad()
def mask_in_box(
    model: nn.Module, seen: Seen, box: Float[np.ndarray, " 4"]
) -> Bool[np.ndarray, "h w"]:
    """Return the mask of the object in a box (left, top, right, bottom; pixels of the picture)."""
    corners = _scaled(seen, box.reshape(1, 1, 2, 2)).reshape(1, 1, 4)
    answer = _ask(model, seen, input_boxes=corners, multimask_output=False)
    return enlarged(answer.pred_masks[0, 0, 0], seen)


@torch.no_grad()
def mask_at_points(
    model: nn.Module, seen: Seen, points: Float[np.ndarray, "p 2"]
) -> Bool[np.ndarray, "h w"]:
    """Return the mask of the object that all points lie on.

    One point may mean a part or the whole: of the three answers the one of best quality is taken.
    """
    answer = _ask(
        model,
        seen,
        input_points=_scaled(seen, points[None, None]),
        input_labels=torch.ones((1, 1, len(points)), dtype=torch.long),
        multimask_output=len(points) == 1,
    )
    best = int(answer.iou_scores[0, 0].argmax())
    return enlarged(answer.pred_masks[0, 0, best], seen)


@torch.no_grad()
def largest_mask(
    model: nn.Module, seen: Seen, points: Float[np.ndarray, "p 2"], min_quality: float
) -> Bool[np.ndarray, "h w"]:
    """Ask at every point by itself and return the largest good mask that is not the background.

    Args:
        model: transformers' SamModel.
        seen: the picture.
        points: where to ask, each for three masks.
        min_quality: smallest overlap with the truth that the network expects of a mask.

    Returns:
        All False where no answer is good enough.
    """
    best, area = None, 0
    for start in range(0, len(points), BATCH):
        asked = points[start : start + BATCH]
        answer = _ask(
            model,
            seen,
            input_points=_scaled(seen, asked[None, :, None]),
            input_labels=torch.ones((1, len(asked), 1), dtype=torch.long),
            multimask_output=True,
        )
        logits = answer.pred_masks[0].flatten(0, 1)
        areas = _object_areas(_inner(logits, seen) > 0)
        areas[answer.iou_scores[0].flatten() < min_quality] = 0
        first = int(areas.argmax())
        if int(areas[first]) > area:
            best, area = logits[first], int(areas[first])
    return np.zeros(seen.size, bool) if best is None else enlarged(best, seen)


def enlarged(logits: Float[Tensor, "k k"], seen: Seen) -> Bool[np.ndarray, "h w"]:
    """Return a mask at the picture's size from the network's coarse logits of the whole square."""
    whole = (seen.side, seen.side)
    big = functional.interpolate(logits[None, None].float(), whole, mode="bilinear")
    part = big[..., : seen.resized[0], : seen.resized[1]]
    return (functional.interpolate(part, seen.size, mode="bilinear")[0, 0] > 0).cpu().numpy()


def _ask(model: nn.Module, seen: Seen, **prompt):
    prompt = {k: v.to(model.device) if isinstance(v, Tensor) else v for k, v in prompt.items()}
    return model(image_embeddings=seen.embedding, **prompt)


def _scaled(seen: Seen, positions: np.ndarray) -> Tensor:
    """Positions (..., 2) in the picture -> in the square, float32."""
    (height, width), (rows, columns) = seen.size, seen.resized
    return torch.from_numpy(positions * (columns / width, rows / height)).float()


def _inner(logits: Float[Tensor, "m k k"], seen: Seen) -> Tensor:
    """The cells of coarse masks that show the picture, not the padding."""
    cells = logits.shape[-1]
    rows, columns = (max(1, round(extent / seen.side * cells)) for extent in seen.resized)
    return logits[:, :rows, :columns]


def _object_areas(masks: Bool[Tensor, "m h w"]) -> Tensor:
    """Cells of each mask; 0 for what runs along most of the border."""
    border = torch.ones(masks.shape[1:], dtype=torch.bool, device=masks.device)
    border[1:-1, 1:-1] = False
    along = (masks & border).sum((1, 2)) / border.sum()
    return torch.where(along > BORDER_SHARE, 0, masks.sum((1, 2)))
