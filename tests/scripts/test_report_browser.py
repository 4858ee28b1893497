"""The report page in a real Chromium: tabs, keys, the episode player, dark mode, no network.

``LAL_SCREENSHOTS=docs/results pytest tests/scripts/test_report_browser.py`` renews the pictures of
the documentation.
"""

import os
import shutil
from pathlib import Path

import pytest

import scripts.report as report
from lal.evaluation import EvaluationConfig, evaluate
from scripts.benchmarks.speed.report import Config, make_store
from scripts.entry import run_main

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is absent")
pytest.importorskip("jinja2", reason="jinja2 is absent")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")
PICTURES = os.environ.get("LAL_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    evaluate(
        EvaluationConfig(
            suite=("sklearn:iris", "sklearn:wine", "synthetic:xor@1"), learners=("gaussian_nb",),
            strategies=("random", "margin", "mine=k_farthest_then_margin",
                        "untrained1=random?stream=1&role=untrained",
                        "shuffled=random?stream=3&role=shuffled"),
            runs=4, budget=12, out=folder / "s",
        )
    )  # fmt: skip
    out = ["--out", str(folder / "r.html"), "--policy", "mine", "--samples", "300"]
    assert run_main(report.main, report.Config, [str(folder / "s"), *out]) == 0
    return folder / "r.html"


@pytest.fixture
def page(browser, path):
    """A fresh tab on the page; at the end nothing was said to the console, nothing asked for."""
    tab = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme="light")
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    yield tab
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    tab.close()


def picture(tab, name, **options):
    if PICTURES:
        from PIL import Image

        path = Path(PICTURES) / f"{name}.png"
        tab.evaluate("document.querySelector('[role=tablist]').style.position = 'static'")
        tab.screenshot(path=str(path), **options)
        with Image.open(path) as image:
            image.convert("RGB").quantize(64).save(path, optimize=True)


def test_every_tab_opens_and_only_one_at_a_time(page):
    tabs = page.query_selector_all("[role=tab]")
    assert len(tabs) == 14
    for tab in tabs:
        tab.click()
        (panel,) = [p for p in page.query_selector_all("[role=tabpanel]") if p.is_visible()]
        assert panel.get_attribute("id") == tab.get_attribute("aria-controls")
        assert panel.query_selector("h2").is_visible()
        assert tab.get_attribute("aria-selected") == "true"
    page.click("#tab-answer")
    picture(page, "report-answer")
    page.click("#tab-differences")
    picture(page, "report-differences")


def test_tabs_follow_the_arrow_keys(page):
    page.focus("#tab-answer")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-strategies"
    page.keyboard.press("End")
    assert page.is_visible("#again")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#answer-panel")


def asked(page):
    return page.evaluate(
        "[...document.querySelectorAll('.card.open .stage svg')]"
        ".map(s => s.querySelectorAll('.asked').length)"
    )


def test_the_player_steps_both_strategies(page):
    page.click("#tab-sets")
    page.select_option("#set-picker", "iris")
    assert page.locator(".card.open .stage h4").all_inner_texts() == ["margin", "mine"]
    begin = asked(page)
    assert begin[0] == begin[1] >= 2
    page.click(".card.open button[aria-label='one step on']")
    assert asked(page) == [n + 1 for n in begin]
    assert "label" in page.inner_text(".card.open .stage p")
    page.click(".card.open button[aria-label='to the end']")
    assert asked(page) == [n + 12 for n in begin]
    page.click(".card.open button[aria-label='one step back']")
    assert asked(page) == [n + 11 for n in begin]
    picture(page, "report-player", full_page=True)


def test_the_player_follows_the_keyboard_and_plays(page):
    page.click("#tab-sets")
    page.focus(".card.open .player")
    begin = asked(page)[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert asked(page)[0] == begin + 2
    page.keyboard.press("Home")
    assert asked(page)[0] == begin
    page.keyboard.press(" ")
    assert page.get_attribute(".card.open .play", "aria-label") == "pause"
    page.wait_for_function(
        f"document.querySelectorAll('.card.open .stage svg')[0].querySelectorAll('.asked').length"
        f" > {begin + 1}"
    )
    page.keyboard.press(" ")
    assert page.get_attribute(".card.open .play", "aria-label") == "play"
    stopped = asked(page)
    page.wait_for_timeout(800)
    assert asked(page) == stopped


def ground(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_dark_mode_by_button_and_by_system(page, browser, path):
    light = ground(page)
    page.click("#theme")
    dark = ground(page)
    assert dark != light
    page.click("#tab-heat")
    picture(page, "report-dark")
    page.click("#theme")
    assert ground(page) == light
    with browser.new_page(color_scheme="dark") as other:
        other.goto(path.as_uri())
        assert ground(other) == dark


def test_the_command_of_one_run_names_a_key_of_the_store(page, path):
    page.click("#tab-again")
    page.select_option("#run-strategy", label="margin")
    key = page.inner_text("#run-command").split()[-1]
    found = list((path.parent / "s" / "cells").rglob(f"{key}*"))
    assert len(found) == 1


def test_without_a_script_everything_is_on_the_page(browser, path):
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(path.as_uri())
        assert all(p.is_visible() for p in tab.query_selector_all("[role=tabpanel]"))


@pytest.mark.slow
def test_a_larger_store_renders(browser, tmp_path):
    make_store(Config(datasets=6, strategies=12, learners=2, runs=4, budget=30), tmp_path / "s")
    flags = [str(tmp_path / "s"), "--out", str(tmp_path / "r.html"), "--samples", "100"]
    assert run_main(report.main, report.Config, flags) == 0
    with browser.new_page() as tab:
        tab.goto((tmp_path / "r.html").as_uri())
        tab.click("#tab-ranks")
        assert tab.is_visible("#chart-ranks svg")
        tab.click("#tab-sets")
        assert "is not to be had here" in tab.inner_text(".card.open .player")
