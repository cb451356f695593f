"""Pictures of every page, light and dark: `python -m tests.ui.pictures docs/images`."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from playwright.sync_api import sync_playwright

from runlore import Store
from runlore.maintenance.removal import remove
from tests.ui.conftest import CHROMIUM, FLAGS
from tests.ui.serving import Served
from tests.ui.stores import make_real

if TYPE_CHECKING:
    from playwright.sync_api import Page

SWEEP = "exp=sweep"
SIZE = {"width": 1280, "height": 760}
SCHEMES = ("light", "dark")


def pages(store: Store) -> dict[str, tuple[str, str]]:
    """By name the address of a page, and what is there once it is whole."""
    first, second = (run.id for run in store.runs('tags.integration == "lightning" and params.lr < 0.01'))
    plots = ".js-plotly-plot .main-svg"
    return {
        "runs": (f"/?{SWEEP}&smooth=0.6", plots),
        "groups": (f"/?{SWEEP}&group=params.lr", plots),
        "scatter": (f"/?{SWEEP}&tab=scatter&slogx=1", plots),
        "parallel": (f"/?{SWEEP}&tab=parallel", plots),
        "heatmap": (f"/?{SWEEP}&tab=heatmap", plots),
        "boxes": (f"/?{SWEEP}&tab=boxes", plots),
        "importance": (f"/?{SWEEP}&tab=importance", ".importance tbody"),
        "media": ("/?exp=digits&tab=media", "[data-media=weights] .main-svg"),
        "compare": (f"/compare?runs={second}&runs={first}", ".code .added"),
        "run": (f"/run/{first}", ".facts"),
        "run-charts": (f"/run/{first}?tab=charts", plots),
        "artifacts": ("/run/sweep-0.1-1?tab=artifacts", ".list"),
        "lineage": (f"/run/{first}?tab=lineage", ".graph .node"),
        "models": ("/models?name=digits", ".list tbody"),
        "find": ("/find", ".target"),
    }


def record_media(store: Store) -> None:
    """Record two runs with images, a histogram and a confusion matrix at three steps."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chance = np.random.default_rng(0)
    for name, skill in (("cnn", 0.5), ("mlp", 0.3)):
        with store.start_run(name, experiment="digits", params={"model": name}) as run:
            for step in (100, 200, 300):
                right = chance.random(400) < skill + step / 700
                said = np.where(right, digits.target[:400], chance.integers(0, 10, 400))
                words = [
                    f"{label}" if good else f"{label}, not {true}"
                    for label, good, true in zip(said, right, digits.target[:400], strict=True)
                ]
                run.log_media("digits", list(digits.images[:4] / 16), step=step, caption=words[:4])
                run.log_histogram("weights", chance.normal(0, 1 + step / 200, 2000), step=step)
                run.log_confusion_matrix("confusion", digits.target[:400], said, step=step)


def take(page: "Page", served: Served, folder: Path, scheme: str) -> None:
    page.goto(served.address)
    for name, (path, whole) in pages(Store(served.store)).items():
        page.goto(served.base + path)
        page.locator(whole).first.wait_for()
        if name == "artifacts":
            page.get_by_role("button", name="Look into confusion_matrix.json").click()
            page.locator(".hm, .heatmaplayer image").first.wait_for()
        page.evaluate("document.querySelector('.place').textContent = '~/digits/.runlore'")
        page.wait_for_timeout(700)  # what fades in
        page.screenshot(path=folder / f"{name}-{scheme}.png")
        print(f"{name}-{scheme}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    target: Path = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        store = make_real(Path(folder))
        trash = Store(store)
        remove(trash, list(trash.runs('status == "failed"')))  # the attacks are no sight
        record_media(trash)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        served = Served(store)
        for scheme in SCHEMES:
            context = browser.new_context(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
            take(context.new_page(), served, target, scheme)
            context.close()
        browser.close()
        served.end()


if __name__ == "__main__":
    main()
