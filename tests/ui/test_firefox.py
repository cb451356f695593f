"""The main jobs of the page in Debian's Firefox; without it these tests skip, but never in CI."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from runlore import Store
from tests.ui.firefox import Firefox
from tests.ui.serving import Serve

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
ENTER = "\ue007"
Open = Callable[[str], Firefox]


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    if PROGRAM is None:
        assert "CI" not in os.environ, "in CI these tests must not skip"
        pytest.skip("no Firefox here: apt-get install firefox-esr")
    found = Firefox(PROGRAM)
    yield found
    found.end()


@pytest.fixture
def open_page(firefox: Firefox, serve: Serve, store: Store) -> Iterator[Open]:
    """Opens a page of a server of the store; at the end no page may have complained of anything."""
    served = serve(store.root)
    firefox.said()
    yield lambda path: firefox.open(served, path)
    assert firefox.said() == []


def sweep(store: Store) -> None:
    for number in range(12):
        lr = (0.1, 0.2, 0.3)[number % 3]
        with store.start_run(f"run-{number}", params={"lr": lr, "depth": number % 2}) as run:
            for step in range(20):
                run.log_metrics({"loss": 1 / (step + 1) + lr, "acc": lr}, step)
            run.run_log.keep_bytes(b"weights", name="model.bin", kind="model")


NAMES = "[...document.querySelectorAll('.runs tbody tr[data-run] td:nth-child(2) a')].map(link => link.textContent)"


def test_the_table_loads_and_a_run_opens(open_page: Open, store: Store) -> None:
    sweep(store)
    page = open_page("/")
    page.until(f"{NAMES}.length === 12")
    assert page.ask(NAMES) == [f"run-{number}" for number in reversed(range(12))]
    page.until(
        "document.querySelector('.card .main-svg')"
    )  # the page is at rest: no row is drawn anew between two events
    page.click("tr[data-run] td:nth-child(2) a")
    page.until("document.querySelector('.run-head h1')?.textContent === 'run-11'")
    page.back()
    page.until(f"{NAMES}.length === 12")


def test_a_query_filters_the_table(open_page: Open, store: Store) -> None:
    sweep(store)
    page = open_page("/")
    page.until(f"{NAMES}.length === 12")
    page.click(".query input")
    page.type(f"params.lr < 0.15 and params.depth == 1{ENTER}")
    page.until(f"{NAMES}.length === 2")
    assert page.ask("new URL(location).searchParams.get('q')") == "params.lr < 0.15 and params.depth == 1"


def test_a_curve_is_drawn_and_grows(open_page: Open, store: Store) -> None:
    plot = "document.querySelector('.card[data-key=loss] .plot')"
    with store.start_run("growing") as run:
        for step in range(5):
            run.log_metrics({"loss": 1.0 / (step + 1)}, step)
        page = open_page("/")
        page.until(f"{plot}?.data?.[0].y.length === 5")
        page.until(f"{plot}.querySelector('.scatterlayer .js-line')?.getTotalLength() > 50")
        run.log_metrics({"loss": 7.0}, 5)
        page.until(f"{plot}.data[0].y.at(-1) === 7")


@pytest.mark.parametrize(
    ("tab", "there"),
    {
        "scatter": "document.querySelectorAll('.big .points .point').length === 12",
        "parallel": "document.querySelectorAll('.big .scatterlayer .js-line').length > 2",
        "heatmap": "document.querySelector('.big').data?.[0].z.flat().length === 6",
        "boxes": "document.querySelectorAll('.big .points .point').length === 12",
        "importance": "document.querySelector('.importance tbody th')?.textContent === 'lr'",
    }.items(),
    ids=lambda text: text.partition(".")[0],
)
def test_what_a_sweep_tells_is_drawn(open_page: Open, store: Store, tab: str, there: str) -> None:
    sweep(store)
    open_page(f"/?tab={tab}&cols=params.lr&cols=params.depth&cols=metrics.acc").until(there)


def test_a_run_shows_its_files_and_its_lineage(open_page: Open, store: Store) -> None:
    sweep(store)
    page = open_page("/run/run-3?tab=artifacts")
    page.until("document.querySelector('.list')?.textContent.includes('model.bin')")
    page = open_page("/run/run-3?tab=lineage")
    page.until("document.querySelectorAll('.graph .node').length > 1")
    assert page.ask("document.querySelector('.graph [aria-current] .name').textContent") == "run-3"


def test_a_lineage_is_a_picture_there_too(open_page: Open, store: Store) -> None:
    sweep(store)
    page = open_page("/run/run-3?tab=lineage")
    page.until("document.querySelectorAll('.graph .node').length > 1")
    page.ask(
        """import(document.querySelector('[href$="/sketch.js"]').href).then(async ({ sketch, pixels }) => {
            const drawn = sketch(document.querySelector('.sheet-of-graph'));
            const image = await createImageBitmap(await pixels(drawn));
            const { width, height } = image;
            const paper = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
            paper.drawImage(image, 0, 0);
            const colours = new Set(new Uint32Array(paper.getImageData(0, 0, width, height).data.buffer));
            window.drawn = [drawn.words.includes('>run-3<'), width === 2 * drawn.width, colours.size > 30];
        })"""
    )
    page.until("window.drawn")
    assert page.ask("window.drawn.join()") == "true,true,true"


def test_what_a_page_complains_of_is_heard(open_page: Open) -> None:
    page = open_page("/")
    page.ask(
        "[setTimeout(() => { window.boomed = 1; throw new Error('boom'); }), console.error('odd'), console.log('fine')]"
    )
    page.until("window.boomed")
    assert sorted(page.said()) == ["error: Error: boom", "error: odd"]
