"""How Sphinx makes the site: `scripts/docs`. The sources are the checkout's own pages, as they stand there."""

from sphinx.application import Sphinx

from mega_collector import __version__

project = "mega-collector"
release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 4

# Links lead from page to page as they do in the checkout, so that a page is right in both. The README is the first one.
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "docs/*.md", "benchmarks/REPORT.md"]
exclude_patterns = [".*", "build", "dist", "src", "tests"]

html_theme = "furo"
html_title = f"mega-collector {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

# What stands in the margin, in this order. A page that is in no part is a warning, and so ends the build.
CONTENTS = {
    "Using it": ["installing", "tls", "operating", "troubleshooting"],
    "What it promises": ["delivery", "cases", "comparison"],
    "Looking things up": ["settings", "metrics"],
    "How it is made": ["design", "performance", "../benchmarks/REPORT", "../CHANGELOG"],
}


def _with_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the contents behind the README, where who reads it in the checkout does not see them."""
    if name != root_doc:
        return
    for part, pages in CONTENTS.items():
        paths = [f"docs/{page}".removeprefix("docs/../") for page in pages]
        there = [path for path in paths if (app.srcdir / f"{path}.md").exists()]
        source[0] += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {part}", "", *there, "```", ""])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _with_contents)
