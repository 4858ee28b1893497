"""Every Python block of the pages runs, top to bottom, page by page."""

import re
import sys
import types
from pathlib import Path

import pytest

from agents import AGENTS
from lal.strategies.base import STRATEGIES
from lal.tasks.rewards import REWARDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("agents/*/README.md")])
SOURCES = [p for name in ("lal", "envs", "agents", "scripts") for p in ROOT.glob(f"{name}/**/*.py")]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for registry in (AGENTS, REWARDS, STRATEGIES):  # what a page adds goes with it
        monkeypatch.setattr(registry, "_members", dict(registry._members))
    module = types.ModuleType("page")  # a real module, so that classes of a page can be pickled
    monkeypatch.setitem(sys.modules, "page", module)
    for number, block in enumerate(blocks(page), start=1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), module.__dict__)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, fragment = target.partition("#")
        if ":" in path:  # a web address
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}, which is not there"
        assert not fragment or fragment in anchors(found), f"{page.name}: no heading for {target}"


def test_pages_that_are_named_exist():
    for file in [*PAGES, *SOURCES, ROOT / "Makefile"]:
        if file.name == "CHANGELOG.md":  # names pages as they were called at a release
            continue
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"docs/[\w/-]+\.(?:md|ipynb|png)", text):
            assert (ROOT / name).exists(), f"{file} names {name}, which is not there"


def anchors(page: Path) -> set[str]:
    """Return the fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def test_every_registered_environment_has_a_page_in_the_index():
    from envs.registration import OUR_IDS

    index = (ROOT / "docs/envs/index.md").read_text(encoding="utf-8")
    for name in OUR_IDS:
        page = re.search(rf"\[{name}\]\((.+?)\)", index)
        assert page, f"docs/envs/index.md does not list {name}"
        text = (ROOT / "docs/envs" / page.group(1)).read_text(encoding="utf-8")
        for part in ("Action space", "Observation space", "## Rewards", "## Episode end"):
            assert part in text, f"{page.group(1)} lacks {part}"


def test_readmes_of_agents_name_files_that_exist():
    for page in ROOT.glob("agents/*/README.md"):
        for name in re.findall(r"`([\w./]+\.py)`", page.read_text(encoding="utf-8")):
            places = (page.parent / name, ROOT / name)
            assert any(p.exists() for p in places), f"{page.parent.name}: there is no {name}"


METHODS = [page for page in PAGES if page.parent.name == "methods" and page.name != "index.md"]


@pytest.mark.parametrize("page", METHODS, ids=lambda p: p.name)
def test_pages_of_methods_have_the_same_parts(page):
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = ["Idea", "Equations", "Use it", "Train it", "Results", "Differences from"]
    assert [h[: len(w)] for h, w in zip(headings, wanted, strict=False)] == wanted
    assert f"({page.name})" in (page.parent / "index.md").read_text(encoding="utf-8")
