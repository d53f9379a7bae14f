"""Make sure that a headless Chromium and its driver are there: the tests turn the page of a pair in them."""

import sys

import debian

if __name__ == "__main__":
    sys.exit(debian.ensure(("chromium", "chromedriver"), ("chromium", "chromium-driver")))
