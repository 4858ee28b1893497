"""The site: built without a network, no dead links, nothing fetched when it is read."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("mkdocs", reason="the site needs the extra docs")
pytest.importorskip("material", reason="the site needs the extra docs")
pytest.importorskip("mkdocstrings", reason="the site needs the extra docs")

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r'(?:href|src)="([^"]*)"')
ANCHOR = re.compile(r'\b(?:id|name)="([^"]+)"')

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_every_link_leads_to_a_file_and_a_heading(site):
    anchors = {p: set(ANCHOR.findall(p.read_text(encoding="utf-8"))) for p in site.rglob("*.html")}
    assert len(anchors) > 60
    dead = []
    for page in anchors:
        if page.name == "404.html":  # its links begin at the root of a server
            continue
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("javascript"):
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            known = anchors.get(target)
            if not target.exists() or (parts.fragment and known is not None
                                       and unquote(parts.fragment) not in known):  # fmt: skip
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []


def test_pages_fetch_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|img|iframe)[^>]*src="([^"]*)"', text)
        fetched += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]*)"', text)
        assert not [url for url in fetched if urlsplit(url).netloc], page.name


def test_the_search_and_the_api_pages_know_docstrings(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    text = {entry["location"]: entry["text"] for entry in index["docs"]}
    assert any(where.startswith("guide/label.html") for where in text)
    assert "last answer or skip" in text["api/lal.html#lal.labelling.project.LabellingProject.undo"]
    assert (site / "search" / "search_index.js").exists()  # what a page without a server reads


def test_the_search_works_from_a_disk_without_a_network(site):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.goto((site / "guide" / "label.html").as_uri())
        page.focus("input.md-search__input")
        page.keyboard.type("stopping rule")
        page.wait_for_selector(".md-search-result__item a")
        found = page.locator(".md-search-result__item a").evaluate_all(
            "all => all.map(a => a.href)"
        )
        browser.close()
    assert any("results/stopping.html" in link for link in found)
