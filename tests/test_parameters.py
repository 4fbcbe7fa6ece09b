"""Options of the methods: the same in Python, on the command line and in the dataclass."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces._options import Options, hints
from pysces._parameters import Range, members
from pysces._synonyms import MEANINGS
from pysces.aracne import _inference
from pysces.aracne._options import AracneOptions, ComparisonOptions
from pysces.cli import main, parser
from pysces.errors import InputError
from pysces.network.formats import FORMATS, FormatName
from pysces.viper._options import MsviperOptions, ViperOptions

CLASSES: dict[str, type[Options]] = {
    "aracne": AracneOptions,
    "viper": ViperOptions,
    "msviper": MsviperOptions,
    "compare": ComparisonOptions,
}
NAMES = {("compare_networks" if n == "compare" else f"run_{n}"): n for n in CLASSES}
FIELDS = [(command, field) for command, of in CLASSES.items() for field in fields(of)]
OPTIONS = {field.name: field.default for field in fields(AracneOptions)}
GIVEN = {
    "adata": "the data",
    "engine": "chosen by `use_engine`, and recorded apart from the options",
    "key_added": "where the result is written",
    "copy": "where the result is written",
}
OF_ANNDATA = {"layer", "gene_symbols", "mask_var", "groupby", "min_samples"}
# Parameters that are no options of the dataclass, and why.
EXTRA = {
    "run_aracne": {**GIVEN, "regulators": "data: names, a file, or those of the organism"},
    "infer_network": {
        "expression": "the data",
        "regulators": "data: names, a file, or those of the organism",
        "genes": "names of the columns of an array",
        "engine": GIVEN["engine"],
    },
    "run_viper": {
        **GIVEN,
        "network": "data: a key, a network or a path",
        "output": "where the result is written",
    },
    "run_msviper": {
        **GIVEN,
        "network": "data: a key, a network or a path",
        "groupby": "required: which cells are compared",
        "group": "required: which cells are compared",
    },
    "compare_networks": {
        **GIVEN,
        "groupby": "required: which cells are compared",
        "group": "which cells are compared",
        "regulators": "data: names, a file, or those of the organism",
    },
}
# Where the work is done, and what only an AnnData has, is tested elsewhere.
ELSEWHERE = {
    *OF_ANNDATA,
    "size_factors",
    "batch_key",
    "donor_key",
    "checkpoint",
    "client",
    "organism",
}
OTHER = {
    "estimator": "binned",
    "degree": 2,
    "counts": False,
    "min_cells": 3,
    "min_donors": 3,
    "n_bins": 7,
    "ties": "together",
    "miller_madow": True,
    "resampling": "bootstrap",
    "n_resamples": 7,
    "alpha": 0.01,
    "correction": "bonferroni",
    "consensus": "poisson",
    "min_support": 0.7,
    "prior": {"A": ["B"]},
    "resample_pvalue": 0.01,
    "n_decoys": 3,
    "dpi": "maxent",
    "dpi_tolerance": 0.1,
    "n_null": 5000,
    "seed": 9,
}


NEEDS = {name: {"estimator": "binned"} for name in ("n_bins", "ties", "miller_madow")}


class Stopped(Exception):
    """Ends a run before the work, with what it was asked."""


@pytest.mark.parametrize("name", EXTRA)
def test_signatures_have_the_options_of_the_dataclass(name: str) -> None:
    options = AracneOptions if name == "infer_network" else CLASSES[NAMES[name]]
    wanted = {field.name: field.default for field in fields(options)}
    if name == "infer_network":
        assert set(wanted) >= OF_ANNDATA  # columns and layers, which an array does not have
        wanted = {key: value for key, value in wanted.items() if key not in OF_ANNDATA}
    parameters = inspect.signature(getattr(pysces, name)).parameters
    assert set(EXTRA[name]) <= set(parameters)
    found = {key: p.default for key, p in parameters.items() if key not in EXTRA[name]}
    assert found == wanted
    assert list(found) == list(wanted)  # in the same order


def texts(hint: Any, within: Range | None) -> Iterator[tuple[list[str], Any]]:
    """Arguments of the command line, and the values that they mean, for each part of a type."""
    parts = list(members(hint))
    plain = str in parts or (Any in parts and len(parts) == 1)
    for part in parts:
        if part is bool and len(parts) == 1:
            yield from ([([], True), (["no"], False)])
        elif part is bool:
            yield from ([(["true"], True), (["false"], False)])
        elif part is type(None) and not plain:
            yield ["none"], None
        elif get_origin(part) is Literal:
            yield from (([str(value)], value) for value in get_args(part))
        elif part is int:
            low = int((within or Range(0)).low) + 5
            yield [str(low)], low
        elif part is float:
            yield ["0.25"], 0.25
        elif get_origin(part) is tuple:
            yield ["0.5,2"], (0.5, 2.0)
        elif get_origin(part) is Mapping:
            yield ["regulators=7,method=absolute"], {"regulators": 7, "method": "absolute"}
        elif plain and part is not type(None):
            yield ["some_name"], "some_name"


@pytest.mark.parametrize(
    ("command", "field"), FIELDS, ids=[f"{command}-{field.name}" for command, field in FIELDS]
)
def test_each_option_of_the_command_line_reaches_the_function(
    command: str, field: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **options: Any) -> None:
        raise Stopped(options)

    monkeypatch.setattr("pysces.data.read.read_expression", lambda *_, **__: None)
    monkeypatch.setattr(pysces, next(name for name, of in NAMES.items() if of == command), stop)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    needed = ["--groupby", "kind", "--group", "a"] if command in ("msviper", "compare") else []
    defaults = {one.name: one.default for one in fields(CLASSES[command])}
    found = list(texts(hints(CLASSES[command])[field.name], field.metadata["within"]))
    assert any(value != field.default for _, value in found)
    for words, value in found:
        dashed = field.name.replace("_", "-")
        flag = f"--no-{dashed}" if words == ["no"] else f"--{dashed}"
        others = NEEDS.get(field.name, {})
        also = [word for name, wanted in others.items() for word in (f"--{name}", wanted)]
        given = [flag, *(word for word in words if word != "no"), *also, *needed]
        with pytest.raises(Stopped) as stopped:
            main([command, "x.h5ad", "-o", "out.tsv", *given])
        options = stopped.value.args[0]
        wanted = defaults | {field.name: value} | others
        assert {name: options[name] for name in wanted} == wanted
        assert type(options[field.name]) is type(value)


def test_the_help_of_each_option_says_what_it_is_and_its_default() -> None:
    """`format_help` breaks lines anywhere, so only words are compared."""
    commands = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    for command, field in FIELDS:
        text = "".join(commands.choices[command].complete().format_help().split())
        help = field.metadata["help"]
        assert "".join(help.split()) in text, (command, field.name)
        default = field.default
        default = default if isinstance(default, str) else str(default)
        assert default in ("None", "True", "False") or f"default:{default}" in text, field.name
        assert not help.endswith("."), field.name
        assert "default" not in help, field.name  # added from the field


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("degree", True, r"must be one of \['auto', 1, 2\]"),
        ("degree", "2", r"must be one of \['auto', 1, 2\]"),
        ("counts", 1, r"must be one of \['auto', True, False\]"),
        ("min_support", "half", "must be a number"),
        ("resample_pvalue", "Auto", r"must be a number in the range \(0, 1\] or 'auto'"),
        ("n_resamples", "Auto", r"an int in the range \[1, 100000\] or 'auto'"),
        ("n_resamples", np.array([1, 2]), "must be an int"),
    ],
)
def test_bad_values_are_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(pysces.InputError, match=f"'{name}' parameter {message}|{message}"):
        AracneOptions(**{name: value})


def test_a_bad_flag_is_named() -> None:
    with pytest.raises(pysces.InputError, match="'miller_madow' parameter must be True or False"):
        AracneOptions(estimator="binned", miller_madow="no")  # type: ignore[arg-type]


def test_numbers_of_numpy_are_plain_ones() -> None:
    options = AracneOptions(seed=np.int32(3), alpha=np.float32(0.5), n_null=np.int64(10_000))
    assert [type(v) for v in (options.seed, options.alpha, options.n_null)] == [int, float, int]


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ELSEWHERE])
def test_each_option_is_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> None:
        options = next(given for given in arguments if isinstance(given, AracneOptions))
        raise Stopped(dataclasses.asdict(options))

    monkeypatch.setattr(_inference, "infer", stop)
    values = np.random.default_rng(0).normal(size=(20, 3))
    table = pd.DataFrame(values, index=[f"s{k}" for k in range(20)], columns=list("ABC"))
    assert OTHER[name] != OPTIONS[name]
    given = {name: OTHER[name], **NEEDS.get(name, {})}
    for call, data in ((pysces.run_aracne, ad.AnnData(table)), (pysces.infer_network, table)):
        with pytest.raises(Stopped) as stopped:
            call(data, ["A"], **given)
        assert stopped.value.args[0] == OPTIONS | given


@pytest.mark.parametrize(
    ("call", "name", "said"),
    [
        (pysces.infer_network, "n_resample", r"\(did you mean 'n_resamples'\?\)\.$"),
        (pysces.run_aracne, "random_state", r"run_aracne\(\) has .* 'random_state': use seed=\.$"),
        (pysces.run_aracne, "n_jobs", r"Set `pysces.settings.threads`"),
        (pysces.run_viper, "net", r": use network=\.$"),
        (pysces.run_viper, "key", r": use key_added=\.$"),
        (pysces.activity, "key_added", r": use key=\.$"),
        (pysces.run_msviper, "use_raw", r"Pass `adata.raw.to_adata\(\)`"),
        (pysces.pl.volcano, "figsize", r"Pass ax= from"),
        (pysces.Network.from_anndata, "frobnicate", r"Its parameters: adata, key, group\.$"),
        (pysces.status, "zzz", r"Its parameters: none\.$"),
    ],
)
def test_an_unknown_parameter_is_answered_with_the_right_one(call, name, said) -> None:
    with pytest.raises(TypeError, match=said):
        call(**{name: 3})


def test_names_of_other_packages_have_a_meaning_here() -> None:
    """Every suggestion is a parameter of some function, and no name is already one everywhere."""
    functions = [getattr(pysces, n) for n in pysces.__all__ if n not in ("pl", "settings")]
    functions += [getattr(pysces.pl, name) for name in pysces.pl.__all__]
    known = [set(inspect.signature(f).parameters) for f in functions if inspect.isfunction(f)]
    for names, news in MEANINGS.items():
        for new in set(news) - {"organism"}:
            assert any(new in own for own in known), new
        for name in names:
            assert any(name not in own for own in known), name


@pytest.mark.parametrize("wrong", ["copla", "Copula "])
def test_a_wrong_choice_is_answered_with_the_nearest(wrong: str) -> None:
    with pytest.raises(InputError, match=r"Got '.*' instead \(did you mean 'copula'\?\)"):
        pysces.infer_network(pd.DataFrame(), estimator=wrong)  # type: ignore[arg-type]


def test_choices_are_literals_in_signatures() -> None:
    """Each choice that a docstring lists is in the type, so that editors and `checked` know it."""
    hint = inspect.signature(pysces.read_network).parameters["format"].annotation
    assert hint == "FormatName | None"
    assert get_args(FormatName) == tuple(FORMATS)
    for name in pysces.__all__:
        if inspect.isfunction(function := getattr(pysces, name)):
            engine = inspect.signature(function).parameters.get("engine")
            assert engine is None or engine.annotation == "EngineName | None", name


def test_wrong_attributes_are_answered_with_the_right_ones() -> None:
    with pytest.raises(AttributeError, match=r"'run_arcne' \(did you mean 'run_aracne'\?\)"):
        pysces.run_arcne  # noqa: B018
    with pytest.raises(AttributeError, match=r"'pysces.pl' .*\(did you mean 'volcano'\?\)"):
        pysces.pl.vulcano  # noqa: B018
    with pytest.raises(AttributeError, match=r"'engin' \(did you mean 'engine'\?\)"):
        pysces.settings.engin = "numba"
    with pytest.raises(AttributeError, match=r"no module 'tl': its functions are in pysces"):
        pysces.tl  # noqa: B018
    assert all(inspect.isfunction(getattr(pysces.pl, name)) for name in dir(pysces.pl))
