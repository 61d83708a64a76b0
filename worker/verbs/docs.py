"""`ferrule docs`: write the generated pages of a checkout, or say which are stale. For developers and CI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import worker
from worker.failures import NO, USAGE, Failure
from worker.generated_pages import PAGES

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if a page is stale.")
    ] = False,
) -> None:
    """Write the generated pages and schemas (for developers). Example: ferrule docs --check"""
    place, stale = _checkout(), []
    for name, page in PAGES.items():
        path, text = place / name, page()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if check and stale:
        raise Failure(f"stale: {', '.join(stale)}; run make pages", NO)


def _checkout() -> Path:
    place = Path(worker.__file__).parents[1]
    if not (place / "deploy" / "docs").is_dir():
        raise Failure("this works in a checkout of the repository: deploy/docs/ is not here", USAGE)
    return place
