"""What tests do with the page of a pair in a browser: open it, look at a canvas, turn a shape."""

import io

import numpy as np
from PIL import Image


def open_ready(browser, path):
    browser.console_errors()  # forget the page before
    browser.open(path)
    browser.wait_for("return document.documentElement.dataset.state")
    assert browser.run("return document.documentElement.dataset.state") == "ready"
    browser.settle()


def half(browser, side):
    """The pixels of one canvas, (h, w, 3) int."""
    window = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    return np.asarray(window.crop(browser.box_of(f"canvas-{side}"))).astype(int)


def vivid_colours(pixels):
    """Number of distinct colours that are no grey: the shape's, not the background's."""
    return len(np.unique(pixels[np.ptp(pixels, axis=2) > 40], axis=0))


def changed(before, after):
    """Share of pixels that clearly differ."""
    return (np.abs(before - after).max(axis=2) > 24).mean()


def middle(browser, side):
    left, top, right, bottom = browser.box_of(f"canvas-{side}")
    return (left + right) // 2, (top + bottom) // 2


def turn(browser, side):
    x, y = middle(browser, side)
    browser.drag((x, y), (x - 140, y + 30))
    still = half(browser, side)
    for _ in range(50):  # damping fades out
        browser.settle()
        now = half(browser, side)
        if changed(still, now) == 0:
            return
        still = now
    raise AssertionError("the shape never comes to rest")


def click(browser, button):
    browser.run("document.getElementById(arguments[0]).click()", button)
    browser.settle()
