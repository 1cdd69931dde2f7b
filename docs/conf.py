"""How Sphinx makes the site: `make docs`. The pages are Markdown (MyST); the API pages come from docstrings."""

from backsight import __version__

project = "backsight"
version = release = __version__
copyright = "the backsight developers"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["results", "_build"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files outside the pages, which a test follows

default_role = "code"  # docstrings write names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"backsight {version}"


def mark_code(app, what, name, obj, options, lines: list[str]) -> None:
    """Say in reStructuredText what docstrings say by indenting: that a block is code, or a formula."""
    marked: list[str] = []
    for line in lines:
        is_indented = line.startswith("    ")
        if is_indented and marked and not marked[-1] and not any(each.startswith("    ") for each in marked[-2:-1]):
            marked += ["::", ""]
        marked.append(line)
    lines[:] = marked


def setup(app) -> None:
    app.connect("autodoc-process-docstring", mark_code, priority=400)  # before napoleon reads sections
