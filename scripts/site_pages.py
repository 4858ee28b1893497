"""What `mkdocs build` adds to the pages in docs/: navigation, root pages, API pages.

MkDocs calls the functions by their names (``hooks`` in mkdocs.yml). The API pages are written from
the docstrings of what is listed here; a new page in docs/ is found by itself.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lal

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

FETCHED = "https://unpkg.com/iframe-worker/shim"
"""The one script that the theme would fetch, so that the search works from a disk."""

WORKER = "assets/javascripts/site_worker.js"
"""What takes its place; see scripts/site_worker.js."""

ROOT = Path(__file__).resolve().parents[1]

SECTIONS = {
    "guide": "Guide",
    "envs": "Environments",
    "extend": "Extend",
    "field": "Surveys",
    "methods": "Methods",
    "results": "Results",
    "design": "Design",
}
"""Folders of docs/ in the order of the navigation, with their titles."""

FIRST = (
    "index",
    "concepts",
    "any-learner",
    "label",
    "tools",
    "integrations",
    "evaluate",
    "clusters",
)
"""Pages that stand first in their section, in this order."""

ROOT_PAGES = ("SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")
"""Pages beside docs/ that are part of the site."""

API = {
    "lal": [path.replace(":", ".") for path in dict.fromkeys(lal.PUBLIC.values())],
    "evaluation": [
        "lal.evaluation.config.EvaluationConfig",
        "lal.evaluation.evaluate.evaluate",
        "lal.evaluation.evaluate.estimate",
        "lal.evaluation.evaluate.prepare_shards",
        "lal.evaluation.evaluate.Evaluation",
        "lal.evaluation.runs.shards.merge_stores",
        "lal.evaluation.runs.store.RunStore",
        "lal.evaluation.analysis.control_tests.control_test",
    ],
    "labelling": [
        "lal.labelling.project.LabellingProject",
        "lal.labelling.forecast.forecast",
        "lal.labelling.forecast.Forecast",
        "lal.labelling.ranking.rank_rows",
        "lal.labelling.stopping.base.make_rule",
    ],
    "environments": [
        "envs.pool_env.PoolEnv",
        "envs.lal_rl.env",
        "envs.streams.stream_env",
        "envs.one_shot.env",
        "envs.few_shot.env",
        "envs.design.env",
    ],
    "extending": [
        "lal.state.QueryState",
        "lal.state.Strategy",
        "lal.task.Learner",
        "lal.features.base",
        "lal.registry.Registry",
        "lal.checks",
        "envs.checks",
        "agents.checks",
    ],
}
"""API pages, and what is documented on each by its docstring."""


def on_config(config: "MkDocsConfig") -> "MkDocsConfig":
    """Set the navigation from the files in docs/."""
    docs = Path(config.docs_dir)
    sections: list[Any] = ["index.md"]
    for folder, title in SECTIONS.items():
        pages = sorted((docs / folder).glob("*.md"), key=_place)
        sections.append({title: [str(page.relative_to(docs)) for page in pages]})
    sections.append({"The field, row by row": "rows.md"})
    sections.append({"API": [f"api/{name}.md" for name in API]})
    sections.append({"Project": [name.lower() for name in ROOT_PAGES]})
    config.nav = sections
    return config


def _place(page: Path) -> tuple[int, str]:
    return (FIRST.index(page.stem) if page.stem in FIRST else len(FIRST), page.stem)


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the pages that are not files in docs/."""
    from mkdocs.structure.files import File

    for name, objects in API.items():
        text = "\n\n".join([f"# API: {name}", *(f"::: {path}" for path in objects)])
        files.append(File.generated(config, f"api/{name}.md", content=text))
    for name in ROOT_PAGES:
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    worker = Path(__file__).with_name("site_worker.js").read_text(encoding="utf-8")
    files.append(File.generated(config, WORKER, content=worker))
    return files


def on_post_page(output: str, page: "Page", **_: Any) -> str:
    """Have a page load nothing from elsewhere."""
    return output.replace(FETCHED, "../" * page.url.count("/") + WORKER)


def on_post_template(output_content: str, **_: Any) -> str:
    """Have the page of an unknown address load nothing from elsewhere."""
    return output_content.replace(FETCHED, f"/{WORKER}")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links to root pages to where they are on the site."""
    for name in ROOT_PAGES:
        markdown = markdown.replace(f"](../../{name})", f"](../{name.lower()})")
    return markdown
