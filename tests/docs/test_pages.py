"""Every Python block of the pages runs, top to bottom, page by page."""

import re
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/e*/*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")  # a real module, so that classes of a page can be pickled
    monkeypatch.setitem(sys.modules, "page", module)
    for number, block in enumerate(blocks(page), start=1):
        exec(compile(block, f"{page.name}, block {number}", "exec"), module.__dict__)


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_registered_environment_has_a_page_in_the_index():
    from envs.registration import OUR_IDS

    index = (ROOT / "docs/envs/index.md").read_text(encoding="utf-8")
    for name in OUR_IDS:
        page = re.search(rf"\[{name}\]\((.+?)\)", index)
        assert page, f"docs/envs/index.md does not list {name}"
        text = (ROOT / "docs/envs" / page.group(1)).read_text(encoding="utf-8")
        for part in ("Action space", "Observation space", "## Rewards", "## Episode end"):
            assert part in text, f"{page.group(1)} lacks {part}"
