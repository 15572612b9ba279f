"""The first screen of a report as a PNG: `report_picture.py PAGE OUT.png [light|dark] [WIDTH] [HEIGHT]`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def picture(page: Path, out: Path, scheme: str, width: int, height: int) -> None:
    """A screenshot of what a reader sees first, at one and a half times the pixels."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=1.5,
            color_scheme=scheme,  # type: ignore[arg-type]  checked by playwright
        )
        tab = context.new_page()
        tab.goto(page.resolve().as_uri())
        tab.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    page, out, *rest = sys.argv[1:]
    scheme, width, height = [*rest, *("light", "1280", "1500")[len(rest) :]]
    picture(Path(page), Path(out), scheme, int(width), int(height))
