"""``settings.verbosity``: steps are seen without any set-up, and once where logging is set up."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAY = "logging.getLogger('pysces').info('a step'); logging.getLogger('pysces').warning('beware')"


def said(*lines: str) -> list[str]:
    """What a fresh session prints on stderr."""
    code = "\n".join(["import logging, sys, pysces", *lines, SAY])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_verbose_prints_the_steps_without_any_set_up() -> None:
    assert said("pysces.settings.verbosity = 'verbose'") == ["a step", "beware"]
    twice = ["pysces.settings.verbosity = 'verbose'"] * 2
    assert said(*twice) == ["a step", "beware"]


@pytest.mark.parametrize("verbosity", ["normal", "silent"])
def test_fewer_words_again_after_verbose(verbosity: str) -> None:
    lines = [f"pysces.settings.verbosity = {word!r}" for word in ("verbose", verbosity)]
    assert said(*lines) == (["beware"] if verbosity == "normal" else [])


@pytest.mark.parametrize("first", ["logging", "verbosity"])
@pytest.mark.parametrize("where", ["", "'pysces'"])
def test_logging_that_is_set_up_gets_each_message_once(first: str, where: str) -> None:
    own = "own = logging.StreamHandler(); own.setFormatter(logging.Formatter('mine: %(message)s'))"
    lines = [f"{own}; logging.getLogger({where}).addHandler(own)"]
    lines.insert(first == "logging", "pysces.settings.verbosity = 'verbose'")
    assert said(*lines) == ["mine: a step", "mine: beware"]


def test_the_root_logger_is_left_alone() -> None:
    root = "(logging.root.level, list(logging.root.handlers))"
    lines = [f"before = {root}", "pysces.settings.verbosity = 'verbose'"]
    assert said(*lines, f"assert {root} == before")[-1] == "beware"


def test_handlers_that_want_less_leave_the_steps_to_us() -> None:
    loud = "own = logging.StreamHandler(); own.setLevel('WARNING'); logging.root.addHandler(own)"
    assert said(loud, "pysces.settings.verbosity = 'verbose'") == ["a step", "beware"]
