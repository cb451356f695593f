"""What an attacker found: values that are odd, news that come at the wrong moment, and clicks out of turn."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import SWEEP, data_of, names, open_page, plot_of, until, wait_names, wait_plot
from tests.ui.serving import Served, artifact

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

Serve = Callable[..., Served]


# Over HTTP


def test_an_origin_that_is_no_address_is_refused(real: Served) -> None:
    for origin in ("http://[", "[", "://"):
        assert real.request("GET", "/api/store", Origin=origin).status == 403


def test_names_of_files_are_no_hashes(real_store: Path, tmp_path: Path, serve: Serve) -> None:
    """The server runs in a folder of the user's: what lies there is not what is asked for."""
    (tmp_path / "decade").write_text("hello")
    (tmp_path / "facade").mkdir()
    served = serve(real_store)
    for name in ("decade", "facade"):
        assert served.get("/api/which-run", sha256=name)["sha256"] == name
        assert served.get("/api/lineage", target=name)["root"] == name


def test_only_what_was_meant_is_brought_back(own: Served) -> None:
    store = Store(own.store)
    first, second = store.run("sweep-0.1-1").id, store.run("sweep-0.1-2").id
    own.post("/api/remove", {"runs": [first]})
    own.post("/api/remove", {"runs": [second]})
    assert "others were removed since" in own.post("/api/undo", {"runs": [first]}).message
    assert own.post("/api/undo", {"runs": [second]}).document == {"back": [second]}
    assert own.post("/api/undo", {"runs": [first]}).document == {"back": [first]}


def test_a_record_of_other_types_is_still_compared(store: Store, serve: Serve) -> None:
    for name in ("a", "b"):
        with store.start_run(name) as run:
            run.run_log.event({"type": "missing", "what": 5, "why": None})
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    assert served.get("/api/compare", runs=ids)["runs"]


def test_a_table_of_numbers_is_no_matrix_of_classes(store: Store, serve: Serve) -> None:
    with store.start_run("a") as run:
        run.run_log.keep_bytes(b"epoch,loss,acc\n0,1.0,0.5\n1,0.5,0.6\n2,0.2,0.8\n", name="history.csv", kind="table")
        run.run_log.keep_bytes(b",cat,dog\ncat,5,1\ndog,2,7\n", name="confusion.csv", kind="table")
        run.run_log.keep_bytes(b"a," * 5000 + b"b\n", name="wide.csv", kind="table")
    served = serve(store.root)
    assert served.get(artifact(served, "a", "history.csv") + "/look")["kind"] == "table"
    matrix = served.get(artifact(served, "a", "confusion.csv") + "/look")
    assert (matrix["kind"], matrix["labels"], matrix["rows"]) == ("matrix", ["cat", "dog"], [[5, 1], [2, 7]])
    assert len(served.get(artifact(served, "a", "wide.csv") + "/look")["head"]) == 100


# In the browser


def test_values_are_no_markup_in_pictures_either(page: "Page", store: Store, serve: Serve) -> None:
    link = '<a href="http://evil.example/">click</a>'
    for number, text in enumerate((link, "plain")):
        with store.start_run(f"<b>{number}</b>", params={"mk": text}) as run:
            run.log_metrics({"loss": 1.0}, 0)
            run.log_metrics({"loss": 2.0}, 1)
    served = serve(store.root)
    open_page(page, served, "/?tab=scatter&sx=params.mk&sy=metrics.loss")
    page.locator(".js-plotly-plot .points .point").nth(1).wait_for()
    assert page.locator(".js-plotly-plot a").count() == 0
    assert "click" in "".join(page.locator(".js-plotly-plot .xtick text").all_text_contents())
    open_page(page, served, "/?group=params.mk")
    plot_of(page, "loss")
    assert data_of(page, "loss")[-1]["name"] != link
    assert page.locator(".js-plotly-plot a").count() == 0


def test_all_digits_of_a_param_are_shown(page: "Page", store: Store, serve: Serve) -> None:
    for seed, lr in ((1234567890123, 0.1234561), (2**60 + 1, 0.1234562)):
        store.start_run(f"s{seed}", params={"seed": seed, "lr": lr}).finish()
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    open_page(page, served, f"/compare?runs={ids[0]}&runs={ids[1]}")
    page.get_by_text(str(2**60 + 1), exact=True).wait_for()
    for text in ("1234567890123", "0.1234561", "0.1234562"):
        assert page.get_by_text(text, exact=True).count() == 1


def test_a_removal_is_undone_by_its_own_button(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    for left, name in ((11, "sweep-0.1-1"), (10, "sweep-0.1-2")):
        page.get_by_role("checkbox", name=f"Select {name}").check()
        page.get_by_role("button", name="Remove", exact=True).click()
        wait_names(page, lambda found, left=left: len(found) == left)  # type: ignore[misc]
    page.get_by_text("1 run removed").nth(1).wait_for()
    page.get_by_role("button", name="Undo", exact=True).last.click()
    wait_names(page, lambda found: "sweep-0.1-2" in found)
    assert "sweep-0.1-1" not in names(page)


def test_words_of_a_note_stay_while_a_run_goes_on(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        open_page(page, serve(store.root), f"/run/{run.id}")
        note = page.get_by_role("textbox", name="A note")
        note.fill("half a thought")
        page.get_by_role("heading", name="live").click()
        told = page.evaluate("window.told = 0")
        for step in range(1, 4):
            run.log_metrics({"loss": 1.0}, step)
            page.wait_for_timeout(700)
        assert told == 0
        assert note.input_value() == "half a thought"


def test_groups_stay_true_to_their_colours_while_runs_come(page: "Page", store: Store, serve: Serve) -> None:
    def add(lr: float, acc: float) -> None:
        with store.start_run(params={"lr": lr}) as run:
            for step in range(3):
                run.log_metrics({"acc": acc + step / 100}, step)

    add(0.1, 0.5)
    add(0.2, 0.4)
    open_page(page, serve(store.root), "/?group=params.lr")
    plot_of(page, "acc")
    add(0.3, 0.9)
    wait_plot(page, "acc", "plot.data.filter(trace => trace.name).length === 3")
    cells = "row => [row.cells[1].textContent, row.querySelector('.dot').style.getPropertyValue('--dot')]"
    table = page.eval_on_selector_all(".groups tbody tr", f"rows => rows.map({cells})")
    chart = [[str(item["name"]).partition(" ")[0], item["color"]] for item in data_of(page, "acc") if item["name"]]
    assert sorted(table) == sorted(chart)
    assert table[0][0] == "0.3"


def test_a_scatter_plot_and_columns_follow_runs_that_come(page: "Page", store: Store, serve: Serve) -> None:
    served = serve(store.root)
    open_page(page, served, "/?tab=scatter&sx=params.lr&sy=metrics.acc")
    page.get_by_text("No runs yet").wait_for()
    for number in range(3):
        with store.start_run(params={"lr": number / 10}) as run:
            run.log_metrics({"acc": number / 10}, 0)
    page.locator(".js-plotly-plot .points .point").nth(2).wait_for()
    page.locator(".runs th", has_text="acc").wait_for()


def test_runs_that_are_gone_are_not_selected(page: "Page", own: Served) -> None:
    run = Store(own.store).run("sweep-0.1-1").id
    open_page(page, own, f"/?{SWEEP}&sel={run}")
    page.get_by_text("1 selected").wait_for()
    own.post("/api/remove", {"runs": [run]})
    page.get_by_text("1 selected").wait_for(state="hidden")
    until(page, "!location.search.includes('sel=')")


def test_a_chart_recovers_from_an_answer_that_failed(page: "Page", store: Store, serve: Serve) -> None:
    failing = True

    def answer(route: "Route") -> None:
        if failing:
            route.fulfill(status=200, body="not JSON at all", content_type="text/plain")
        else:
            route.continue_()

    page.route(re.compile("/api/curves"), answer)
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        open_page(page, serve(store.root))
        page.locator(".card p:not(.hidden)").wait_for()
        failing = False
        run.log_metrics({"loss": 0.5}, 1)
        plot_of(page, "loss")
        page.locator(".card[data-key=loss] p.hidden").wait_for(state="attached")


def test_values_beyond_every_scale_break_no_chart(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("huge") as run:
        for step in range(20):
            run.log_metrics({"loss": 1e308 * (-1) ** step, "fine": float(step)}, step)
    open_page(page, serve(store.root), "/?smooth=0.5")
    plot_of(page, "fine")
    plot_of(page, "loss")


def test_output_is_shown_once(page: "Page", real: Served) -> None:
    """Two looks at the same time, the first of which is slow."""

    def slow(route: "Route") -> None:
        time.sleep(0.3)
        route.continue_()

    page.route(re.compile("/output"), slow)
    open_page(page, real, "/run/sweep-0.1-1?tab=output")
    page.get_by_text("the last line of sweep-0.1-1").wait_for()
    page.wait_for_timeout(900)
    assert page.locator(".output").inner_text().count("the last line") == 1


def test_a_look_into_a_file_stays_open_while_a_run_goes_on(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("live") as run:
        run.run_log.keep_bytes(b"inside", name="a.txt", kind="report")
        served = serve(store.root)
        page.goto(f"{served.base}/run/{run.id}?tab=artifacts&token={served.token}")
        page.get_by_role("button", name="Look into a.txt").click()  # before the page listens, maybe
        for step in range(3):
            run.log_metrics({"loss": 1.0}, step)
            page.wait_for_timeout(600)
        assert page.get_by_text("inside", exact=True).is_visible()
        run.run_log.keep_bytes(b"more", name="b.txt", kind="report")
        page.get_by_role("button", name="Look into b.txt").wait_for()


def test_labels_that_are_the_same_hide_no_cell(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("a") as run:
        run.run_log.keep_bytes(b'{"matrix": [[1, 2], [3, 4]], "labels": ["a", "a"]}', name="m.json", kind="report")
    open_page(page, serve(store.root), f"/run/{run.id}?tab=artifacts")
    page.get_by_role("button", name="Look into m.json").click()
    page.locator(".heatmap-label").nth(3).wait_for()
    assert sorted(page.locator(".heatmap-label").all_text_contents()) == ["1", "2", "3", "4"]


def test_names_that_objects_have_are_names(page: "Page", real: Served) -> None:
    for path in ("/run/sweep-0.1-1?tab=constructor", "/run/sweep-0.1-1?tab=__proto__"):
        open_page(page, real, path)
        page.get_by_role("tab", name="Overview", selected=True).wait_for()
    open_page(page, real, f"/?{SWEEP}&tab=toString")
    page.get_by_role("tab", name="Curves", selected=True).wait_for()


def test_a_box_does_not_outlive_its_page_nor_does_a_query(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Columns").click()
    page.locator(".pop").wait_for()
    page.get_by_role("combobox", name="Filter runs by a query").evaluate(
        "box => { box.value = 'params.lr < 0.05'; box.dispatchEvent(new Event('input')); }"
    )
    page.locator(".runs tbody a").first.evaluate("link => link.click()")
    page.locator(".run-head h1").wait_for()
    page.wait_for_timeout(600)
    assert page.locator(".pop").count() == 0
    assert page.evaluate("location.search") == ""


def test_the_focus_stays_where_it_was(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    box = page.get_by_role("checkbox", name="Select sweep-0.1-1")
    box.focus()
    page.keyboard.press("Space")
    page.get_by_text("1 selected").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Select sweep-0.1-1"
    page.get_by_role("tab", name="Curves").focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.activeElement.textContent === 'Scatter'")
