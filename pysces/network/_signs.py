"""Signs of regulation from the words and numbers that other programs use."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pysces._reading import numbers_of

_POSITIVE = """
    + +1 1 activates activate activating activated activation activator induces induced induction
    stimulates stimulated stimulation positive pos up up-regulates up-regulated upregulates
    upregulated upregulation
"""
_NEGATIVE = """
    - -1 represses repress repressing repressed repression repressor inhibits inhibited inhibiting
    inhibition inhibitor negative neg down down-regulates down-regulated downregulates downregulated
    downregulation
"""
_NEITHER = """
    0 ? unknown unspecified undefined none nan na n/a <na> null both dual mixed ambiguous regulates
"""
SIGNS = {
    "": 0,
    **dict.fromkeys(_POSITIVE.split(), 1),
    **dict.fromkeys(_NEGATIVE.split(), -1),
    **dict.fromkeys(_NEITHER.split(), 0),
}
"""Sign of each word, in lower case."""


def signs_of(column: pd.Series) -> pd.Series | None:
    """Modes of regulation from a column; ``None`` if it holds something else.

    Words (``Activation``, ``represses``, ``+``) become 1, -1 or 0. Numbers are used unchanged if
    all are in [-1, 1] and at least one is negative.
    """
    words = column.astype(object).where(column.notna(), "").astype(str).str.strip().str.lower()
    signs = words.map(SIGNS)
    if signs.notna().all():
        signs = signs.astype(np.int64)
        return signs if (signs != 0).any() and not (words == "1").all() else None
    numbers = numbers_of(column)
    if numbers.between(-1, 1).all() and (numbers < 0).any():
        return numbers.astype(np.float64)
    return None


def flags_of(column: pd.Series) -> pd.Series | None:
    """A column of flags as booleans; ``None`` if it holds anything else."""
    words = column.astype(object).where(column.notna(), "").astype(str).str.strip().str.lower()
    flags = words.map({"1": 1, "1.0": 1, "true": 1, "": 0, "0": 0, "0.0": 0, "false": 0})
    return flags.astype(np.int64) if flags.notna().all() else None
