"""Trunk, head, arms and legs of a person at rest, facing -Y."""

import numpy as np

from semcorr.datasets.shapes import curves, lofts, parts
from semcorr.datasets.shapes.articulated import Figure
from semcorr.datasets.shapes.human_plan import Person

FAR = 1.0  # farther away than any part: marks take the outermost vertex
FORWARD = np.array([0.0, -1.0, 0.0])  # never along an arm or a finger


def skeleton(fig: Figure, p: Person) -> None:
    """Bones from the hips outwards."""
    fig.bone("hips", (0.0, 0.0, p.leg))
    fig.bone("torso", (0.0, 0.0, p.belt), "hips")
    fig.bone("neck", (0.0, 0.004, p.throat), "torso")
    fig.bone("head", (0.0, 0.006, p.chin + 0.12 * p.head), "neck")
    arm = (("{}_upperarm", "torso"), ("{}_lowerarm", "{}_upperarm"), ("{}_hand", "{}_lowerarm"))
    leg = (("{}_upperleg", "hips"), ("{}_lowerleg", "{}_upperleg"), ("{}_foot", "{}_lowerleg"))
    for names, joints in ((arm, p.arm_joints), (leg, p.leg_joints)):
        for (name, above), joint in zip(names, joints, strict=False):
            fig.bone(name, joint, above)


def trunk(fig: Figure, p: Person) -> None:
    """Hips, torso and neck."""
    round_ = max(p.power, 2.3)
    waist, wide, deep = p.waist * p.hip, p.hip, p.depth
    belly = max(1.0, p.waist)
    low, high = p.leg - 0.012, p.belt
    path = curves.line((0, 0.004, low), (0, 0.002, high), 0.5 * fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    widths = lofts.smooth(share, (0.98 * wide, 1.02 * wide, waist))
    depths = lofts.smooth(share, (0.95 * deep, 1.08 * deep, 0.92 * deep * belly))
    hips = lofts.rounded(path, widths, depths, 16, power=round_, cap=0.45)
    fig.attach(hips, "hips", "legs", "hips")

    top = p.throat - 0.5 * p.arm_radius - 0.01
    chest = max(0.9 * (p.shoulder - 0.35 * p.arm_radius), 0.75 * wide)
    path = curves.line((0, 0.002, high), (0, 0.006, top), 0.6 * fig.step)
    share = np.linspace(0.0, 1.0, len(path))
    widths = lofts.smooth(share, (waist, 0.5 * (waist + chest), chest, 0.96 * chest))
    depths = deep * lofts.smooth(share, (0.94 * belly, 0.5 + 0.5 * belly, 1.02, 0.72))
    torso = lofts.rounded(path, widths, depths, 16, power=round_, cap=0.4)
    fig.attach(torso, "torso", "shirt", "torso")

    thick = min(0.36 * p.head, 0.034 * max(p.limb, 0.8))
    start, end = np.array([0, 0.008, top - 0.01]), np.array([0, 0.004, p.chin + 0.2 * p.head])
    neck = lofts.limb(start, end, (1.15 * thick, thick, thick), 0.4 * fig.step, 12)
    fig.attach(neck, "neck", "skin", "neck")
    _mark_trunk(fig, p, top)


def _mark_trunk(fig: Figure, p: Person, top: float) -> None:
    fig.mark("crotch", (0.0, 0.0, p.leg - FAR), "hips")
    level = p.belt + 0.12 * (top - p.belt)
    fig.mark("navel", (0.0, -2 * p.depth, level), "torso")
    fig.mark("back_at_navel", (0.0, 2 * p.depth, level), "torso")
    fig.mark_pair("{}_hip", (2 * p.hip, 0.0, p.leg + 0.02), "hips")
    neck = 0.5 * (p.throat + p.chin)
    fig.mark("neck_front", (0.0, -0.1, neck), "neck")
    fig.mark("neck_back", (0.0, 0.1, neck), "neck")
    pit = p.arm_joints[0] - (0.0, 0.0, 1.5 * p.arm_radius)
    fig.mark_pair("{}_armpit", pit, "torso")


def head(fig: Figure, p: Person) -> None:
    """Head with nose and ears."""
    h = p.head
    path = curves.line((0, -0.02 * h, p.chin + 0.2 * h), (0, 0.02 * h, 1 - 0.3 * h), 0.4 * fig.step)
    path = path if len(path) > 5 else path[0] + np.linspace(0, 1, 6)[:, None] * (path[-1] - path[0])
    share = np.linspace(0.0, 1.0, len(path))
    widths = h * lofts.smooth(share, (0.23, 0.31, 0.345, 0.33))
    skull = lofts.rounded(path, widths, 1.16 * widths, 16, power=min(p.power, 4.0), cap=0.9)
    fig.attach(skull, "head", "skin", "head")
    fig.mark("head_top", (0.0, 0.0, 1.0 + FAR), "head")
    if p.hair != "helmet":
        face = -0.37 * h
        level = p.chin + 0.47 * h
        tip = (0.0, face - 0.1 * h, level - 0.06 * h)
        nose = lofts.limb(
            (0, 0.8 * face, level + 0.06 * h), tip, np.array((0.04, 0.06)) * h, h / 8, 8
        )
        fig.attach(nose, "head", "skin", "head")
        ear = parts.ball((0.045 * h, 0.09 * h, 0.13 * h), 8, 4)
        ear = ear.moved((0.345 * h, 0.03 * h, p.chin + 0.5 * h))
        fig.attach_pair(ear, "head", "skin", "head")
    fig.mark("nose_tip", (0.0, -FAR, p.chin + 0.43 * h), "head")
    fig.mark_pair("{}_ear", (FAR, 0.03 * h, p.chin + 0.5 * h), "head")


def arms(fig: Figure, p: Person) -> None:
    """Two arms with hands, mirrored."""
    shoulder, elbow, wrist, end = p.arm_joints
    r, step, blunt = p.arm_radius, 0.6 * fig.step, min(p.power, 4.0)
    upper = lofts.limb(shoulder, elbow, (1.1 * r, 1.0 * r, 0.78 * r), step, 12, 1.0, FORWARD, blunt)
    fig.attach_pair(upper, "{}_upperarm", "sleeve", "{}_upperarm")
    # a joint's two balls differ a little, so that neither surface flickers through the other
    lower = lofts.limb(elbow, wrist, (0.74 * r, 0.8 * r, 0.52 * r), step, 12, 1.0, FORWARD, blunt)
    fig.attach_pair(lower, "{}_lowerarm", "forearm", "{}_lowerarm")
    _hand(fig, p, wrist, end)
    fig.mark_pair("{}_shoulder_top", shoulder + (0.0, 0.0, 2 * r), "left_upperarm")
    fig.mark_pair("{}_elbow_outer", elbow - np.cross(FORWARD, p.arm_way) * r, "left_lowerarm")


def _hand(fig: Figure, p: Person, wrist, end) -> None:
    """Palm, thumb and fingers: four, one broad one (mitten), or two (claw)."""
    way, broad = p.arm_way, 0.026 * max(0.7, min(p.limb, 1.5))
    thin, long = 0.42 * broad, np.linalg.norm(end - wrist)
    size = 1.0 + 0.25 * (p.build == "cartoon")
    broad, thin = size * broad, size * thin
    path = wrist + np.linspace(0, 1, 5)[:, None] * (end - wrist)
    widths = lofts.smooth(np.linspace(0, 1, 5), (0.6 * broad, broad, 0.95 * broad))
    palm = lofts.rounded(path, widths, np.maximum(thin, 0.5 * widths), 12, FORWARD, cap=0.5)
    label = bone = "{}_hand"
    fig.attach_pair(palm, label, "skin", bone)
    thick, number = {"fingers": (0.24, 4), "mitten": (0.9, 1), "claw": (0.3, 2)}[p.hands]
    for i in range(number):
        side = (i - (number - 1) / 2) * (1.5 if number == 4 else 3.6) * thick * broad / 1.1
        reach = long * (0.95 - 0.12 * abs(i - 1) if number == 4 else 0.75)
        start = end + side * -FORWARD - 0.1 * long * way
        radius = thick * broad
        flat = 0.5 if number == 1 else 1.0
        finger = lofts.limb(
            start, start + reach * way, (radius, 0.8 * radius), reach / 4, 8, flat, FORWARD
        )
        fig.attach_pair(finger, label, "skin", bone)
    start = wrist + 0.35 * long * way + 0.6 * broad * FORWARD
    # an axis that the thumb is not along, whatever the arm's angle
    normal = (1.0, 0.0, 0.0) if way[0] < 0.7 else (0.0, 0.0, 1.0)
    tip = start + 0.6 * long * way + 0.9 * broad * FORWARD
    radii = np.array((0.34, 0.26)) * broad
    thumb = lofts.limb(start, tip, radii, long / 4, 8, 1.0, normal)
    fig.attach_pair(thumb, label, "skin", bone)
    fig.mark_pair("{}_middle_finger_tip", end + FAR * way, "left_hand")


def legs(fig: Figure, p: Person) -> None:
    """Two legs with feet, mirrored."""
    hip, knee, ankle = p.leg_joints
    r, step, blunt = 0.042 * p.limb, 0.6 * fig.step, min(p.power, 4.0)
    # neither may reach across the middle
    r = min(r, 0.95 * hip[0])
    upper = lofts.limb(hip, knee, (1.12 * r, 1.1 * r, 0.76 * r), step, 12, 1.1, power=blunt)
    fig.attach_pair(upper, "{}_upperleg", "legs", "{}_upperleg")
    lower = lofts.limb(knee, ankle, (0.72 * r, 0.84 * r, 0.48 * r), step, 12, 1.05, power=blunt)
    fig.attach_pair(lower, "{}_lowerleg", "shins", "{}_lowerleg")
    fig.mark_pair("{}_knee_front", knee + (0.0, -2 * r, 0.0), "left_lowerleg")
    fig.mark_pair("{}_knee_back", knee + (0.0, 2 * r, 0.0), "left_lowerleg")
    _foot(fig, p, ankle, r)


def _foot(fig: Figure, p: Person, ankle, r: float) -> None:
    high = 0.5 * ankle[2]
    heel = ankle[1] + 0.28 * p.foot
    path = curves.line(
        (ankle[0], heel - 0.025, 1.1 * high), (ankle[0], heel - p.foot + 0.02, 0.62 * high), 0.022
    )
    share = np.linspace(0.0, 1.0, len(path))
    wide = lofts.smooth(share, (0.62, 0.66, 0.95, 0.72)) * max(0.03, 0.75 * r)
    tall = high * lofts.smooth(share, (1.1, 1.25, 0.8, 0.6))
    path[:, 2] = tall
    fig.attach_pair(lofts.rounded(path, wide, tall, 12, power=2.6), "{}_foot", "shoe", "{}_foot")
    fig.mark_pair("{}_toe", (ankle[0], -FAR, 0.0), "left_foot")
    fig.mark_pair("{}_heel", (ankle[0], FAR, 0.0), "left_foot")
