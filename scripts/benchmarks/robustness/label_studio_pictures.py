"""Pictures of a project of Label Studio, taken in a headless browser: its list, and one task."""

import shutil
from pathlib import Path
from typing import Any

from lal.errors import UsageError
from lal.registry import require

SIZE = {"width": 1280, "height": 760}
"""Of the browser's window, in pixels."""

PATIENCE = 120_000
"""Milliseconds that a page may take; Label Studio's first page is slow."""


def find_browser() -> str:
    """Return the program of a browser.

    Raises:
        UsageError: There is no Chromium.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise UsageError("no chromium on the path; install it, or leave out --pictures")
    return found


def take_pictures(url: str, user: tuple[str, str], project: int, task: int, folder: Path) -> None:
    """Write ``label-studio.png``, the list of tasks, and ``label-studio-task.png``, one of them.

    Args:
        url: Address of Label Studio.
        user: E-mail address and password.
        project: Number of the project.
        task: Number of the task that is opened.
        folder: Where the pictures go.
    """
    api = require("playwright.sync_api", "test")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE)
        _log_in(page, url, user)
        data = f"{url}/projects/{project}/data"
        _picture(page, data, ".dm-table-row, .lsf-table-row", folder / "label-studio.png")
        _picture(page, f"{data}?task={task}", "text=boat", folder / "label-studio-task.png")
        browser.close()


def _log_in(page: Any, url: str, user: tuple[str, str]) -> None:
    page.goto(f"{url}/user/login")
    for field, value in zip(("email", "password"), user, strict=True):
        page.fill(f"input[name={field}]", value)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(f"{url}/**", wait_until="load")


def _picture(page: Any, address: str, shown: str, path: Path) -> None:
    """Take a picture of a page once `shown` is on it and no more is loaded."""
    page.goto(address)
    page.wait_for_selector(shown)
    page.wait_for_load_state("networkidle")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(path))
