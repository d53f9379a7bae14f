"""People and humanoid figures: twelve builds, each individual in three poses.

Names of parts and keypoints are those of sets of skinned human meshes: parts end where bones do.
"""

import colorsys

import numpy as np

from semcorr.datasets.shapes import palette
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.assembly import Assembly
from semcorr.datasets.shapes.category import Category, Draft, mirror_pairs
from semcorr.datasets.shapes.human_dress import dress
from semcorr.datasets.shapes.human_parts import arms, head, legs, skeleton, trunk
from semcorr.datasets.shapes.human_plan import BUILDS, Person, draw
from semcorr.datasets.shapes.human_poses import POSES
from semcorr.geometry.mesh import Material

LABELS = (
    "left_foot", "right_foot", "left_hand", "right_hand", "head", "hips", "left_lowerarm",
    "right_lowerarm", "left_lowerleg", "right_lowerleg", "neck", "torso", "left_upperarm",
    "right_upperarm", "left_upperleg", "right_upperleg",
)  # fmt: skip
KEYPOINTS = (
    "head_top", "nose_tip", "left_ear", "left_middle_finger_tip", "left_shoulder_top",
    "left_elbow_outer", "left_knee_front", "left_knee_back", "left_toe", "left_heel", "left_hip",
    "left_armpit", "right_ear", "right_middle_finger_tip", "right_shoulder_top",
    "right_elbow_outer", "right_knee_front", "right_knee_back", "right_toe", "right_heel",
    "right_hip", "right_armpit", "crotch", "navel", "back_at_navel", "neck_front", "neck_back",
)  # fmt: skip


def build(stratum: int, rng: np.random.Generator) -> Draft:
    """Draw a person of build number `stratum`."""
    person = draw(tuple(BUILDS)[stratum], rng)
    fig = Figure(LABELS, draw_materials(person, rng), step=0.05)
    skeleton(fig, person)
    for part in (trunk, head, arms, legs, dress):
        part(fig, person)

    def pose(number: int, rng: np.random.Generator) -> tuple[str, Assembly]:
        order = rng.permutation(tuple(POSES))
        turns = [POSES[name](person, rng) for name in order]
        return str(order[number - 1]), fig.posed(turns[number - 1])

    names = (person.build, person.hair, person.hands, person.dress)
    return Draft(fig, "/".join(names), mirror_pairs(KEYPOINTS), pose)


def draw_materials(person: Person, rng: np.random.Generator) -> dict[str, Material]:
    """Draw materials for the roles skin, shirt, sleeve, forearm, legs, shins, shoe, hair."""
    robot = person.build == "robot"
    skin = palette.metal(rng) if robot else palette.skin(rng)
    shirt, trousers = palette.fabric(rng), palette.fabric(rng)
    hair = palette.fur(rng) if person.hair not in ("hat", "helmet") else palette.plastic(rng)
    shoe = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.1, 0.6))
    suit = person.dress in ("suit", "pack")
    colors = {
        "skin": skin,
        "shirt": shirt,
        "sleeve": shirt if suit or rng.random() < 0.5 else skin,
        "forearm": shirt if suit else skin,
        "legs": trousers,
        "shins": skin if person.dress == "shorts" else trousers,
        "shoe": skin if person.dress == "plain" and rng.random() < 0.5 else shoe,
        "hair": hair,
    }
    if robot:
        colors |= {"sleeve": skin, "forearm": shirt, "legs": skin, "shins": shirt}
    materials = {role: palette.material(color) for role, color in colors.items()}
    if rng.random() < 0.25:
        pattern = (palette.weave, palette.stripes)[rng.integers(2)](shirt, rng)
        materials["shirt"] = palette.material(shirt, pattern)
    return materials


CATEGORY = Category(LABELS, KEYPOINTS, len(BUILDS), build, poses=3)
