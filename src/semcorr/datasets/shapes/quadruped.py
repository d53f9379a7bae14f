"""Four-legged animals: eighteen species, each individual in three poses.

Names of parts and keypoints are those of sets of rigged game animals: parts end where bones do.
"""

import numpy as np

from semcorr.datasets.shapes import palette
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.datasets.shapes.quadruped_head import ears, extras, horns
from semcorr.datasets.shapes.quadruped_parts import head, legs, neck, skeleton, tail, trunk
from semcorr.datasets.shapes.quadruped_plan import SPECIES, Animal, draw
from semcorr.datasets.shapes.quadruped_poses import POSES
from semcorr.geometry.mesh import Material

LABELS = (
    "body", "neck", "head", "tail", "left_ear", "right_ear",
    "left_front_upper_leg", "right_front_upper_leg", "left_front_lower_leg",
    "right_front_lower_leg", "left_front_foot", "right_front_foot",
    "left_back_upper_leg", "right_back_upper_leg", "left_back_lower_leg",
    "right_back_lower_leg", "left_back_foot", "right_back_foot",
)  # fmt: skip
KEYPOINTS = (
    "muzzle_tip", "tail_tip", "left_front_foot_tip", "left_back_foot_tip", "left_ear_tip",
    "left_front_upper_leg_outer", "left_front_lower_leg_outer", "left_back_leg_outer",
    "left_back_upper_leg_outer", "left_back_lower_leg_outer", "right_front_foot_tip",
    "right_back_foot_tip", "right_ear_tip", "right_front_upper_leg_outer",
    "right_front_lower_leg_outer", "right_back_leg_outer", "right_back_upper_leg_outer",
    "right_back_lower_leg_outer", "neck2_top", "torso3_top", "torso_top", "tail1_top",
)  # fmt: skip


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw an animal of species number `stratum`."""
    animal = draw(tuple(SPECIES)[stratum], rng)
    long = max(animal.poll[2], 1.4 + animal.head + 0.5 * animal.tail_length)
    fig = Figure(LABELS, draw_materials(animal, rng), step=0.05 * long)
    skeleton(fig, animal)
    for part in (trunk, neck, head, ears, horns, extras, legs, tail):
        part(fig, animal)

    def pose(number: int, rng: np.random.Generator) -> tuple[str, Assembly]:
        order = rng.permutation(tuple(POSES))
        turns = [POSES[name](animal, rng) for name in order]
        return str(order[number - 1]), fig.posed(turns[number - 1])

    names = (animal.species, animal.ears, animal.tail, animal.horns, animal.extra)
    return Draft(fig, "/".join(names), mirror_pairs(KEYPOINTS), pose)


def draw_materials(animal: Animal, rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles coat, foot, horn."""
    color = palette.fur(rng)
    picture = None
    if rng.random() < 0.25:
        picture = (palette.stripes, palette.grain)[rng.integers(2)](color, rng)
    dark = tuple(0.45 * c for c in color)
    horn = palette.WOODS[rng.integers(len(palette.WOODS))][0]
    return {
        "coat": palette.material(color, picture),
        "foot": palette.material(color if animal.foot == "pad" else dark),
        "horn": palette.material(horn),
    }


CATEGORY = Category(LABELS, KEYPOINTS, len(SPECIES), build, poses=3)
