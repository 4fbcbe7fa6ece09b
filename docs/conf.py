"""Sphinx configuration. Build: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]  # this checkout, not another installation
# Notebook kernels choose the inline backend only if none is set.
os.environ.pop("MPLBACKEND", None)
os.environ.setdefault("MPLCONFIGDIR", str(HERE / "_build" / "matplotlib"))
# Inherited by the kernels that execute the notebooks.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
)

import pysces  # noqa: E402 - from this checkout

# Autodoc imports by dotted name, but `pysces.pl` is an attribute.
sys.modules["pysces.pl"] = pysces.pl
pysces.settings.verbosity = "silent"

project = "PySCES"
author = "The PySCES developers"
copyright = "The PySCES developers; BSD-3-Clause"
version = release = pysces.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_copybutton",
    "sphinx_design",
    # in _ext/
    "docstrings",
    "mathml",
    "generated_tables",
]
# No intersphinx: the build needs no network.

source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
exclude_patterns = ["_build", "**.ipynb_checkpoints", "conda", "paper", "README.md"]
templates_path = ["_templates"]
nitpicky = False
python_maximum_signature_line_length = 80

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath", "substitution"]
suppress_warnings = ["toc.empty_glob"]
myst_heading_anchors = 3
myst_substitutions = {"version": pysces.__version__}

nb_execution_mode = "cache"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_execution_show_tb = True

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# The section Returns holds prose and lists, shown as written.
napoleon_custom_sections = ["Returns"]

plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 130)]
plot_rcparams = {"figure.constrained_layout.use": True}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "PySCES"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_depth": 3,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "article_header_start": ["breadcrumbs"],
}
# Pages without subpages need no list of them.
html_sidebars = {name: [] for name in ("install", "tour", "troubleshooting")}
html_context = {"default_mode": "auto"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
