"""Images, files, texts and figures: as they come back, and what is said of those that can't be kept."""

import io
import json
import multiprocessing
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import runlore
from runlore import Store
from runlore.artifacts.artifact import Artifact

RED = np.zeros((4, 6, 3), dtype=np.uint8)
RED[..., 0] = 200


def logged(store: Store, *calls: tuple[str, Any], **more: Any) -> list[Artifact]:
    """The artifacts of the media that a run logs, one call for each pair of key and value."""
    with store.start_run("media") as run:
        for key, value in calls:
            run.log_media(key, value, **more)
    return [item for item in store.run(run.id).artifacts if item.media]


def pixels(artifact: Artifact) -> Any:
    return np.asarray(Image.open(io.BytesIO(artifact.read_bytes())))


def image_forms() -> list[Any]:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(RED).permute(2, 0, 1)
    return [RED, RED.astype(np.int64), tensor, tensor / 255, (tensor / 255).bfloat16(), Image.fromarray(RED)]


@pytest.mark.framework
@pytest.mark.parametrize("form", range(6))
def test_an_image_comes_back_from_whatever_form(store: Store, form: int) -> None:
    (found,) = logged(store, ("red", image_forms()[form]), step=3, caption="a red one")
    assert (found.name, found.kind, found.media, found.step) == ("red.png", "image", "red", 3)
    assert found.captions == ("a red one",)
    assert np.abs(pixels(found).astype(int) - RED).max() <= (1 if form == 4 else 0)


def test_grey_and_black_and_white_images(store: Store) -> None:
    grey = np.linspace(0, 1, 12).reshape(3, 4)
    found = logged(store, ("grey", grey), ("channel", grey[..., None]), ("bits", grey > 0.5))
    assert [pixels(item).tolist() for item in found[:2]] == [np.rint(grey * 255).astype(int).tolist()] * 2
    assert set(pixels(found[2]).ravel().tolist()) == {0, 255}


def test_what_is_cut_of_pixels_is_said(store: Store) -> None:
    with store.start_run("cut") as run:
        run.log_media("x", np.array([[-1.0, 0.5, np.nan, 3.0]]))
    found = store.run(run.id)
    (artifact,) = (item for item in found.artifacts if item.media)
    assert pixels(artifact).tolist() == [[0, 128, 0, 255]]
    assert [item["why"] for item in found.missing] == ["pixels from -1 to 3 are cut to floats from 0 to 1"]


def test_several_images_are_one_record_with_a_caption_each(store: Store) -> None:
    (found,) = logged(store, ("both", [RED, RED[::-1]]), caption=["up", "down"])
    assert [member.path for member in found.members] == ["0.png", "1.png"]
    assert found.captions == ("up", "down")


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        (np.zeros((3, 4, 5, 6)), None, "shape (3, 4, 5, 6) is no image"),
        (np.zeros((0, 4)), None, "shape (0, 4) is no image"),
        (np.zeros((5, 5, 2)), None, "shape (5, 5, 2) is no image"),
        (np.array([["a"]]), None, "holds no numbers"),
        (object(), None, "an object is no image"),
        (b"no video", "video", "8 bytes are no video"),
        ("gone.png", None, "there is no file 'gone.png'"),
        (np.broadcast_to(np.uint8(1), (1 << 14, 1 << 14)), None, "16,384 × 16,384 pixels is too large"),
        (RED, "song", "kind is 'song': it is one of image, audio"),
        ([RED, b"GIF8..."], None, "a list holds one kind"),
    ],
)
def test_what_is_no_medium_is_named_and_training_goes_on(store: Store, value: Any, kind: str | None, told: str) -> None:
    with store.start_run("bad") as run, pytest.warns(runlore.RunloreWarning, match="media 'x' can't be recorded"):
        run.log_media("x", value, kind=kind)
        run.log_metrics({"loss": 1.0})
    found = store.run(run.id)
    assert [item["what"] for item in found.missing] == ["media x"]
    assert told in found.missing[0]["why"]
    assert found.metrics["loss"].last == 1.0


def test_a_file_is_kept_as_it_is_if_it_is_what_its_name_says(store: Store, tmp_path: Path) -> None:
    sound = tmp_path / "tone.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(1600))
    false = tmp_path / "false.mp4"
    false.write_bytes(b"<script>alert(1)</script>")
    with pytest.warns(runlore.RunloreWarning, match="does not begin as a mp4 file does"):
        found = logged(store, ("tone", sound), ("again", str(sound)), ("bytes", sound.read_bytes()), ("false", false))
    assert [(item.kind, item.name) for item in found] == [
        ("audio", "tone.wav"),
        ("audio", "again.wav"),
        ("audio", "bytes.wav"),
    ]
    assert {item.sha256 for item in found} == {found[0].sha256}


def test_a_sound_is_kept_from_its_samples(store: Store) -> None:
    torch = pytest.importorskip("torch")
    tone = np.sin(np.linspace(0, 100, 8_000))
    both = torch.from_numpy(np.stack([tone, -tone]))  # channels first
    forms = [("mono", tone), ("both", both), ("bits", (tone * 32_767).astype(np.int16)), ("loud", tone * 2)]
    with store.start_run("sounds") as run:
        for key, value in forms:
            run.log_media(key, value, kind="audio", rate=8_000, step=1)
            value *= 0
        long = np.broadcast_to(np.float32(0), 1 << 28)
        for value, rate in ((tone, None), (np.zeros((3, 4, 5)), 8_000), (tone, "8000"), (long, 8_000)):
            with pytest.warns(runlore.RunloreWarning, match="rate is|is no sound|at most 134,217,728 are kept"):
                run.log_media("none", value, kind="audio", rate=rate)  # type: ignore[arg-type]
    found = store.run(run.id)
    kept = {}
    for item in (item for item in found.artifacts if item.media):
        with wave.open(io.BytesIO(item.read_bytes())) as file:
            form = (file.getnchannels(), file.getframerate(), file.getnframes())
            kept[str(item.media)] = (form, file.readframes(8_000))
    assert {key: form for key, (form, _) in kept.items()} == {
        key: (2 if key == "both" else 1, 8_000, 8_000) for key, _ in forms
    }
    heard = np.frombuffer(kept["both"][1], "<i2").reshape(-1, 2)
    expected = np.sin(np.linspace(0, 100, 8_000)) * 32_767
    assert np.abs(heard[:, 0] - expected).max() <= 1
    assert np.abs(heard[:, 1] + expected).max() <= 1
    why = [item["why"] for item in found.missing if item["what"] == "media loud"]
    assert len(why) == 1
    assert why[0].endswith("are cut to -1 to 1")


def test_texts_are_themselves_or_paths_and_hold_no_secret(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    path.write_text("from a file")
    with store.start_run("texts") as run:
        run.log_media("path", path)
        run.log_media("named", str(path))
        run.log_media("text", "it said\nhello")
        run.log_media("page", "<b>bold</b>", kind="html")
        run.log_media("key", "password = hunter2-7Fk9", kind="text")
    found = [item for item in store.run(run.id).artifacts if item.media]
    assert [(item.name, item.kind) for item in found] == [
        ("path.txt", "text"), ("named.txt", "text"), ("text.txt", "text"), ("page.html", "html"), ("key.txt", "text"),
    ]  # fmt: skip
    assert [found[0].read_bytes(), found[1].read_bytes()] == [b"from a file", str(path).encode()]
    assert found[2].read_bytes() == b"it said\nhello"
    assert b"hunter2" not in found[4].read_bytes()


def test_a_figure_is_kept_as_it_looks_and_stays_as_it_was(store: Store) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1), dpi=50)
    figure.subplots().plot([1, 2])
    canvas = figure.canvas
    import plotly.graph_objects as go

    picture, chart = logged(store, ("plot", figure), ("chart", go.Figure(go.Scatter(y=[1, 2]))))
    assert figure.canvas is canvas
    assert (picture.kind, pixels(picture).shape[:2]) == ("figure", (50, 100))
    assert json.loads(chart.read_bytes())["data"][0]["type"] == "scatter"


def test_a_figure_of_too_many_pixels_is_not_drawn(store: Store) -> None:
    """It took gigabytes."""
    from matplotlib.figure import Figure

    with pytest.warns(runlore.RunloreWarning, match="20,000 × 20,000 pixels is too large"):
        assert logged(store, ("plot", Figure(figsize=(200, 200), dpi=100))) == []


def test_an_image_is_copied_at_the_call_and_kept_at_the_end_in_order(store: Store) -> None:
    with store.start_run("order") as run:
        image = RED.copy()
        for step in range(20):
            image[0, 0, 1] = step
            run.log_media("x", image, step=step)
    found = [item for item in store.run(run.id).artifacts if item.media]
    assert [item.step for item in found] == list(range(20))
    assert [int(pixels(item)[0, 0, 1]) for item in found] == list(range(20))


def test_a_forked_child_keeps_its_own_and_waits_for_nothing(store: Store) -> None:
    with store.start_run("forked") as run:
        run.log_media("parent", RED)

        def work() -> None:
            run.log_media("child", RED)  # and it ends without a word

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join(60)
        assert child.exitcode == 0
    assert sorted(str(item.media) for item in store.run(run.id).artifacts if item.media) == ["child", "parent"]


def test_what_is_beyond_a_limit_is_left_out_and_told(store: Store) -> None:
    with store.start_run("limits") as run:
        run.log_media("many", [RED] * 103)
        run.log_media("long", "x" * (1 << 20) + "yz")
        with pytest.warns(runlore.RunloreWarning, match="101 classes: at most 100 are kept"):
            run.log_confusion_matrix("classes", range(101), range(101))
            run.settle_media()
    found = store.run(run.id)
    kept = {item.media: item for item in found.artifacts if item.media}
    assert (len(kept["many"].members), kept["long"].size) == (100, 1 << 20)
    why = [item["why"] for item in found.missing]
    assert "3 of 103 items left out: 100 are kept at once" in why
    assert "a text of 1,048,578 characters is cut to 1,048,576" in why


def test_what_would_hold_up_a_training_is_refused(store: Store, tmp_path: Path) -> None:
    import plotly.graph_objects as go

    film, page = tmp_path / "film.mp4", tmp_path / "page.html"
    with film.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42")
        file.truncate(300 << 20)  # of holes
    page.write_bytes(b" " * ((16 << 20) + 1))
    values = np.zeros(2_000_000)
    figures: dict[str, Any] = {"film": film, "page": page, "plot": go.Figure(go.Scatter(x=values, y=values))}
    with store.start_run("large") as run:
        for key, value in figures.items():
            with pytest.warns(runlore.RunloreWarning, match=f"media '{key}' can't be recorded"):
                run.log_media(key, value)
        run.log_metrics({"loss": 1.0})
    found = store.run(run.id)
    assert [item["what"] for item in found.missing] == ["media film", "media page", "media plot"]
    assert [re.findall("at most 16,777,216|268,435,456", item["why"]) for item in found.missing] == [
        ["268,435,456"], ["at most 16,777,216"], ["at most 16,777,216"],
    ]  # fmt: skip
    assert found.metrics["loss"].last == 1.0
    assert not [item for item in found.artifacts if item.media]


def test_media_of_the_current_run(store: Store) -> None:
    with store.start_run("current") as run:
        runlore.log_media("x", RED, step=1)
        runlore.log_table("t", {"a": [1]})
        runlore.log_histogram("h", [1.0, 2.0])
    assert {item.media for item in store.run(run.id).artifacts if item.media} == {"x", "t", "h"}


def test_a_run_that_records_nothing_encodes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_DISABLED", "1")
    run = runlore.start_run("off", store=store)
    run.log_media("x", object())
    run.log_table("t", object())
    run.finish()
    assert not store.root.exists()
