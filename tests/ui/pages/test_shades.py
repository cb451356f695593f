"""Curves in the colours of a field, in a real browser."""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from runlore.ui.report import View, report
from tests.ui.browsing import SWEEP, dots, open_page, plot_of, query, until, wait_plot
from tests.ui.colour_sight import difference
from tests.ui.pages.test_readability import serious
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS = {"a": (1, True, 0.5), "b": (10, False, float("nan")), "c": (100, None, 2.5)}
COLOURS = "plot.data.map(trace => trace.line.color)"
SHADES = ".legend .shades i"
ALL = "nodes => nodes.map(node => node.style.getPropertyValue('--dot'))"


def record(store: Store) -> None:
    """Record runs that have a param that spans far, one that is a bool or missing, and a metric that is NaN once."""
    for name, (size, flag, score) in reversed(KINDS.items()):  # the newest stands first
        with store.start_run(name, params={"size": size} | ({} if flag is None else {"flag": flag})) as run:
            for step in range(3):
                run.log_metrics({"acc": step / size, "score": score}, step)


def choose(page: "Page", field: str) -> None:
    page.get_by_role("button", name="colour: ").click()
    page.get_by_role("dialog").get_by_role("button", name=field, exact=True).click()


def kept(page: "Page", form: str) -> str:
    """The chart of acc as a file."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download acc").click()
        page.get_by_role("button", name=form, exact=True).click()
    return waiting.value.path().read_text()


def test_curves_are_coloured_by_numbers_on_a_scale(page: "Page", store: Store, serve: Serve) -> None:
    record(store)
    open_page(page, serve(store.root))
    wait_plot(page, "acc", "plot.data.length === 3")
    own = dots(page)
    choose(page, "params.size")
    page.locator(".legend .shades", has_text="size (log)").wait_for()
    assert query(page)["colour"] == ["params.size"]
    assert page.locator(".legend .shades").inner_text().split() == ["size", "(log)", "1", "100"]
    shades: list[str] = page.eval_on_selector_all(SHADES, ALL)
    wanted = [shades[0], shades[3], shades[5]]
    wait_plot(page, "acc", f"{COLOURS}.join() === '{','.join(wanted)}'")
    assert dots(page) == wanted, "the table's dots are those of the curves"
    picture = kept(page, "SVG")
    for words in (">acc<", ">size<", ">100<"):
        assert words in picture
    page.reload()
    wait_plot(page, "acc", f"{COLOURS}.join() === '{','.join(wanted)}'")
    choose(page, "none")
    wait_plot(page, "acc", f"{COLOURS}.join() === '{','.join(own)}'")
    assert dots(page) == own
    assert "colour" not in query(page)


def test_the_scale_can_be_told_apart_by_the_colour_blind_and_on_both_grounds(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&colour=params.lr")
    page.locator(SHADES).first.wait_for()
    shades: list[str] = page.eval_on_selector_all(SHADES, ALL)
    assert min(difference(one, other) for one, other in combinations(shades, 2)) > 10
    backs = [luminance("#ffffff"), luminance("#14181c")]
    lights = [luminance(shade) for shade in shades]
    assert lights == sorted(lights)
    for light in lights:
        assert all((max(light, back) + 0.05) / (min(light, back) + 0.05) >= 3 for back in backs)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    light = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(factor * part for factor, part in zip((0.2126, 0.7152, 0.0722), light, strict=True))


def test_curves_are_coloured_by_texts_and_those_without_a_value_are_pale(
    page: "Page", store: Store, serve: Serve
) -> None:
    record(store)
    open_page(page, serve(store.root), "/?colour=params.flag")
    page.locator(".legend", has_text="without").wait_for()
    assert page.locator(".legend > span:not(.entry)").all_inner_texts() == ["flag", "False", "True", "without"]
    wait_plot(page, "acc", "plot.data.length === 3")
    true, false, without = dots(page)
    assert page.eval_on_selector_all(".legend > span:not(.entry) .dot", ALL) == [false, true, without]
    assert without == page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--quiet')").strip()
    assert ">flag True<" in kept(page, "SVG")
    page.get_by_role("button", name="colour: ").click()
    page.get_by_role("searchbox", name="Find a field").fill("score")
    page.get_by_role("dialog").get_by_role("button", name="metrics.score", exact=True).click()
    page.locator(".legend .shades", has_text="score").wait_for()  # NaN makes no classes of numbers
    assert dots(page)[1] == without


def test_a_chart_as_a_picture_names_its_curves(page: "Page", store: Store, serve: Serve) -> None:
    record(store)
    open_page(page, serve(store.root), "/?smooth=0.5")
    wait_plot(page, "acc", "plot.data.length === 6")
    picture = kept(page, "SVG")
    assert [picture.count(f">{name}<") for name in ("acc", *KINDS)] == [1, 1, 1, 1]
    assert "fill: rgb(255, 255, 255)" in picture, "the ground of the theme, so that its words can be read anywhere"


def test_another_colour_than_a_field_is_none(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&colour=no+such+field")
    wait_plot(page, "loss", "plot.data.length === 8")
    assert page.locator(".shades").count() == 0
    open_page(page, real, f"/?{SWEEP}&group=params.lr&colour=params.lr")
    wait_plot(page, "loss", "plot.data.filter(trace => trace.name).length === 3")
    assert page.locator(".shades").count() == 0
    assert page.get_by_role("button", name="colour: ").is_hidden()


def test_colours_follow_the_values_of_runs_that_grow(page: "Page", store: Store, serve: Serve) -> None:
    record(store)
    served = serve(store.root)
    with store.start_run("grows", params={"size": 5}) as run:
        run.log_metrics({"acc": 0.0, "score": 0.5}, 0)
        open_page(page, served, "/?colour=metrics.score")
        until(page, "document.querySelectorAll('.legend .entry').length === 4")
        first = dots(page)[0]
        run.log_metrics({"acc": 0.1, "score": 2.5}, 1)
        until(page, f"document.querySelector('.runs .dot').style.getPropertyValue('--dot') !== '{first}'")
        assert dots(page)[0] == dots(page)[3]


def test_a_page_that_is_sent_has_the_colours_of_the_field(page: "Page", real: Served, tmp_path: Path) -> None:
    view = View.at(f"/?{SWEEP}&cols=params.seed&cols=metrics.loss&colour=params.model")
    (tmp_path / "view.html").write_text(report(Store(real.store), view).text)
    page.goto((tmp_path / "view.html").as_uri())
    plot_of(page, "loss")
    until(page, "document.querySelectorAll('.runs tbody .dot:not([style=\"\"])').length >= 8")
    assert page.locator(".legend > span:not(.entry)").all_inner_texts() == ["model", "cnn", "mlp"]
    assert len(set(dots(page))) == 2
    assert page.locator(".runs th button[title^='Sort']").all_inner_texts() == [
        "name", "status", "seed", "loss", "started", "took"
    ], "the field itself is no column"  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("field", ["params.size", "params.flag"])
def test_axe_finds_nothing_in_colours_of_a_field(
    page: "Page", store: Store, serve: Serve, scheme: str, field: str
) -> None:
    record(store)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, serve(store.root), f"/?colour={field}")
    wait_plot(page, "acc", "plot.data.length === 3")
    assert serious(page) == []
    page.get_by_role("button", name="colour: ").click()
    page.get_by_role("dialog").get_by_role("button", name="none", exact=True).wait_for()
    assert serious(page) == []


def test_compared_runs_have_the_colours_of_a_field_or_those_that_were_picked(
    page: "Page", store: Store, serve: Serve
) -> None:
    record(store)
    ids = [run.id for run in store.runs()]
    open_page(page, serve(store.root), f"/compare?{'&'.join(f'runs={run}' for run in ids)}")
    wait_plot(page, "acc", "plot.data.length === 3")

    def everywhere(*colours: str) -> str:
        heads = "[...document.querySelectorAll('.sheet > table .dot, .sheet > section .dot')]"
        shown = f"{heads}.map(node => node.style.getPropertyValue('--dot')).join()"
        return f"{shown} === '{','.join([*colours] * 3)}'"

    blue, orange, green = page.eval_on_selector_all(".legend .dot", ALL)
    until(page, everywhere(blue, orange, green))
    page.locator(".legend").get_by_role("button", name="Colour of a").click()
    page.get_by_role("dialog").get_by_role("button", name="green", exact=True).click()
    wait_plot(page, "acc", f"{COLOURS}[0] === '{green}'")
    until(page, f"document.querySelector('.sheet > table .dot').style.getPropertyValue('--dot') === '{green}'")
    choose(page, "params.size")
    page.locator(".legend .shades", has_text="size (log)").wait_for()
    shades: list[str] = page.eval_on_selector_all(SHADES, ALL)
    wanted = [shades[0], shades[3], shades[5]]
    wait_plot(page, "acc", f"{COLOURS}.join() === '{','.join(wanted)}'")
    until(page, everywhere(*wanted))
    assert query(page)["colour"] == ["params.size"]
    assert serious(page) == []
