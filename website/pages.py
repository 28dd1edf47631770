"""
Pages of the documentation that are files of the project elsewhere: the README, the examples, and the like.

They are written for a reader of the repository, and so are the links of the pages in ``docs``; here a link to a
file leads to its page.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent

PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
EXAMPLES, RECIPES = "examples.md", "recipes.md"
RECIPE_ORDER = ("taskflow", "regions", "fan_out", "weekly", "alert", "retries", "costs", "teardown")
# What has no page of its own, and the page that says what it says.
STAND_INS = {"airflow_sentinelhub/exceptions.py": "troubleshooting.md", "example_dags": EXAMPLES}

_LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?(?=\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made of other files."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, EXAMPLES, content=examples()))
    files.append(File.generated(config, RECIPES, content=recipes()))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Let links lead to pages."""
    known = set(files.src_uris)
    source = {made: name for name, made in PAGES.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def lead(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        anchor = found[2] or ""
        if re.fullmatch(r"example_dags/\w+\.py", target):
            target, anchor = EXAMPLES, f"#{Path(target).stem}"
        elif target in STAND_INS:
            target = STAND_INS[target]
        else:
            target = PAGES.get(target, target.removeprefix("docs/"))
        if target not in known:
            return found[0]  # strict mode says which it is
        return posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".") + anchor

    return _LINK.sub(lead, markdown)


def recipes() -> str:
    """Show the recipes, each under what it is for."""
    parts = [
        "# Recipes\n\nWhat pipelines often want, each as a whole DAG file. Going on only if enough of the tiles "
        "came out is [example_batch_run](examples.md#example_batch_run); many jobs in one wait is "
        "[example_batch_group](examples.md#example_batch_group)."
    ]
    for name in RECIPE_ORDER:
        source = (ROOT / "docs" / "recipes" / f"{name}.py").read_text(encoding="utf-8")
        title, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
        code = source.split('"""', 2)[2].strip()
        parts.append(f'## {title.rstrip(".")}\n\n{text.strip()}\n\n```python title="{name}.py"\n{code}\n```')
    return "\n\n".join(parts) + "\n"


def examples() -> str:
    """Show the example DAGs, each under its own heading."""
    parts = ["# Example DAGs\n\n`make demo` runs them in a real Airflow, without an account."]
    for file in sorted((ROOT / "example_dags").glob("*.py")):
        source = file.read_text(encoding="utf-8")
        introduction = ast.get_docstring(ast.parse(source)) or ""
        code = source.split('"""', 2)[2].strip()
        parts.append(f"## {file.stem}\n\n{introduction}\n\n```python\n{code}\n```")
    return "\n\n".join(parts) + "\n"
