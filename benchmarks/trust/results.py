"""Results of the scripts of this folder, kept as json for the page docs/trust.md."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def load(name: str) -> dict[str, Any]:
    """The results of a script, empty if it never ran."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(name: str, content: dict[str, Any]) -> None:
    """Write the results of a script, with the day and the machine."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    about = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "python": python}
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({**about, **content}, indent=1, ensure_ascii=False) + "\n")
    temporary.replace(path)
