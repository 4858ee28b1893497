"""Commands: run them as `python -m scripts.NAME`."""

import sys

if sys.argv[:1] == ["-m"]:  # a command is starting, not a test or a notebook
    from scripts.terminal import show_imports_in_one_line

    show_imports_in_one_line()
