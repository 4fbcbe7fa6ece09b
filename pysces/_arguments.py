"""Generate command-line arguments from options dataclasses, and translate messages to them."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import itertools
import math
import os
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pysces._messages import nearest
from pysces._options import Options, hints
from pysces._parameters import Range, choices, hints_of, members
from pysces.settings import EngineName


def spelled(value: object) -> str:
    """Format a value as it is written on the command line.

    Examples
    --------
    >>> spelled(True), spelled(None), spelled(0.5)
    ('true', 'none', '0.5')
    """
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _two_numbers(text: str) -> tuple[float, float]:
    first, second = map(_number, text.split(","))
    return first, second


def _number(text: str) -> int | float:
    with contextlib.suppress(ValueError):
        return int(text)
    return float(text)


def _scalar(text: str) -> int | float | str:
    with contextlib.suppress(ValueError):
        return _number(text)
    return text


def _mapping(text: str) -> dict[str, Any]:
    pairs = (part.split("=") for part in text.split(","))
    return {name.strip(): _scalar(value.strip()) for name, value in pairs}


# For each type: name in the help, description in an error, and converter.
_FORMS: dict[Any, tuple[str, str, Callable[[str], Any]]] = {
    int: ("N", "an integer", int),
    float: ("X", "a number", float),
    tuple: ("X,Y", "two numbers X,Y", _two_numbers),
    Mapping: ("KEY=VALUE,...", "KEY=VALUE,...", _mapping),
    str: ("NAME", "a name", str),
}


class Values:
    """Converter of the text of one option, according to the type of its field.

    Text is compared with fixed values first, then converted to a number, pair or mapping. Other
    text is used unchanged if the type contains ``str``, or ``Any`` and no fixed values; the value
    cannot be None then.

    Examples
    --------
    >>> values = Values(int | typing.Literal["auto"])
    >>> values("auto"), values("7"), values.metavar
    ('auto', 7, 'auto|N')
    """

    def __init__(self, hint: Any, metavar: str | None = None) -> None:
        parts = [typing.get_origin(part) or part for part in members(hint)]
        known = [value for value in choices(hint) if value is not None]
        text = str in parts or (Any in parts and not known)
        self.names = {spelled(value): value for value in ([] if text else choices(hint))}
        forms = [_FORMS[part] for part in parts if part in _FORMS and part is not str]
        self.forms = [*forms, _FORMS[str]] if text else forms
        self.metavar = metavar or "|".join([*self.names, *(form[0] for form in self.forms)])

    def __call__(self, text: str) -> Any:
        """Convert the text; raise an ArgumentTypeError if it is not a valid value."""
        if text.lower() in self.names:
            return self.names[text.lower()]
        for _, _, read in self.forms:
            with contextlib.suppress(ValueError):
                return read(text)
        *most, last = [*self.names, *(form[1] for form in self.forms)]
        allowed = f"{', '.join(most)} or {last}" if most else last
        raise argparse.ArgumentTypeError(
            f"must be {allowed}. Got {text!r}{nearest(text, self.names)}."
        )


def default_of(action: argparse.Action) -> str:
    """The default of an option as text; empty if it has none."""
    if action.required or not action.option_strings or action.default is argparse.SUPPRESS:
        return ""
    if "(default:" in (action.help or ""):  # in words
        return ""
    if isinstance(action, argparse._StoreTrueAction):
        return "off"
    return getattr(action, "otherwise", "") or spelled(action.default)


class _Generated(argparse._StoreAction):
    """An option whose help shows the range, and in words what None means."""

    interval = ""
    otherwise = ""

    def completer(self, **_: Any) -> list[str]:
        """Values that the shell offers."""
        return list(self.type.names) if isinstance(self.type, Values) else []


def described(function: Callable[..., Any]) -> dict[str, str]:
    """The first sentence about each parameter in the docstring of a function.

    Examples
    --------
    >>> described(described)
    {'function': 'any function with a docstring'}

    Parameters
    ----------
    function
        Any function with a docstring. It is not called.
    """
    text = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")[2]
    text = re.split(r"\n\w[^\n]*\n---", text)[0]
    found = {}
    for names, body in re.findall(r"^(\S.*)\n((?:    .*\n?|\n)+)", text, re.MULTILINE):
        sentence = re.split(r"\.(?: |$)", " ".join(body.split()))[0]
        sentence = re.sub(r":\w+:`~?([^`]*)`", r"\1", sentence).replace("**", "")
        sentence = re.sub(r"``(None|True|False)``", lambda one: one[1].lower(), sentence)
        sentence = re.sub(r"\badata\.|`", "", sentence)
        for name in names.split(", "):
            found[name] = sentence[:1].lower() + sentence[1:]
    return found


class _Help(argparse.HelpFormatter):
    """Help formatter that adds the range and the default of each option."""

    def __init__(self, prog: str, **given: Any) -> None:
        super().__init__(prog, **{"max_help_position": 28} | given)

    def _get_help_string(self, action: argparse.Action) -> str:
        text, default = (action.help or "").replace("%", "%%"), default_of(action)
        interval = getattr(action, "interval", "")
        facts = [interval] * bool(interval) + [f"default: {default}"] * bool(default)
        return f"{text} ({', '.join(facts)})" if facts else text


class Parser(argparse.ArgumentParser):
    """Parser that adds its arguments on first use and suggests names for unknown ones.

    ``fill`` adds the arguments. The options of a method are imported together with its libraries,
    which would slow down ``pysces --version``.
    """

    fill: Callable[[Parser], None] | None = None
    commands: Mapping[str, Any] | None = None
    added: Mapping[str, Parser] = types.MappingProxyType({})

    def __init__(self, **given: Any) -> None:
        # The meaning of an abbreviation would change with each new option.
        super().__init__(formatter_class=_Help, allow_abbrev=False, **given)

    def complete(self, words: Sequence[str] = ()) -> Parser:
        """Add the arguments, once; also those of the commands among the words."""
        fill, self.fill = self.fill, None
        if fill is not None:
            fill(self)
        for sub in [self.added[word] for word in words if word in self.added][:1]:
            sub.complete(words)
        return self

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Report unknown names first, since argparse would report missing arguments instead."""
        self.complete()
        args = list(sys.argv[1:] if args is None else args)
        if self.prefix_chars == "-" and "_ARGCOMPLETE" not in os.environ:
            self._refuse_unknown(args)
        return super().parse_known_args(args, namespace)

    def _refuse_unknown(self, args: Sequence[str]) -> None:
        own = list(itertools.takewhile(lambda word: word != "--", args))
        if self.commands is not None:
            own = list(itertools.takewhile(lambda word: word.startswith("-"), args))
            rest = args[len(own) :]
            if not args:
                self.print_help(sys.stderr)
                self.exit(2)
            if rest and rest[0] not in self.commands:
                self.error(f"unknown command {rest[0]!r}{nearest(rest[0], self.commands)}")
        for word in own:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self._option_string_actions:
                self.error(f"unknown option {name!r}{nearest(name, self._option_string_actions)}")

    def error(self, message: str) -> typing.NoReturn:
        """Exit with the message and a reference to the help, instead of the complete usage."""
        self.exit(2, f"pysces: {message}\nSee `{self.prog} --help`.\n")

    def add_options(self, options: type[Options], only: Sequence[str] | None = None) -> None:
        """Add one option for each field, or for the fields in `only`."""
        group = self.add_argument_group("options of the method")
        types_of = hints(options)
        for field in dataclasses.fields(options):
            if only is not None and field.name not in only:
                continue
            _add(group, field.name, types_of[field.name], default=field.default, **field.metadata)

    def add_parameters(self, function: Callable[..., Any], skip: Sequence[str] = ()) -> None:
        """Add one option for each parameter of a function that has a form on the command line.

        Types and ranges are those of the signature, help texts those of the docstring.
        """
        group = self.add_argument_group("options of the method")
        types_of, texts = hints_of(function), described(function)
        within = getattr(function, "__checks__", {})
        for name, parameter in inspect.signature(function).parameters.items():
            hint = types_of.get(name)
            if name in skip or parameter.kind is parameter.VAR_KEYWORD or not has_form(hint):
                continue
            given = {"help": texts[name], "within": within.get(name), "default": parameter.default}
            _add(group, name, hint, **given)

    def add_engine(self) -> None:
        """Add the option ``--engine``."""
        help, otherwise = "what computes", "the fastest that is available"
        _add(self, "engine", EngineName | None, default=None, help=help, otherwise=otherwise)

    def add_commands(self, commands: Mapping[str, Command]) -> None:
        """Add commands; the result has ``run`` and ``parser`` of the chosen one."""
        self.commands = commands
        added = self.add_subparsers(required=True, metavar="COMMAND")
        for name, command in commands.items():
            given = {"help": command.text, "description": command.text, **command.form}
            sub = added.add_parser(name, **given)
            sub.fill = command.fill
            sub.set_defaults(run=command.run, parser=sub, quiet=False, verbose=False)
        self.added = added.choices

    def translated(self, message: str) -> str:
        """Translate a message of the package: options of this command instead of parameters.

        ``n_bins=5`` becomes ``--n-bins 5``, ``the 'alpha' parameter`` becomes ``the option
        --alpha``, and calls of functions that have a command become that command.
        """
        actions = {a.dest: a for a in self._actions if a.option_strings and a.dest != "help"}
        name = f"({'|'.join(sorted(actions, key=len, reverse=True))})"

        def option(match: re.Match[str]) -> str:
            action, value = actions[match[1]], match[2]
            flag = action.option_strings[-1 if action.option_strings[0][:2] != "--" else 0]
            if not value:
                return flag
            if isinstance(action, argparse.BooleanOptionalAction):
                return flag if value == "True" else action.option_strings[1]
            if value == "None" and action.default is None:
                return f"no {flag}"
            value = value.lower() if value in ("True", "False", "None") else value.strip("'")
            return f"{flag} {value}"

        message = re.sub(
            r"`pysces\.(?:run_|(?=rank_|metacells|pseudobulk))([a-z]+)(?:_regulators)?"
            r"\((?:adata)?(?:, )?(.*?)\)`",
            lambda call: f"`pysces {call[1]} {call[2]}".rstrip() + "`",
            message,
        )
        message = re.sub(rf"^{name}()(?= must\b)", option, message)
        message = re.sub(rf"'{name}' parameter()", lambda m: f"option {option(m)}", message)
        message = re.sub(
            rf"(?<![\w.'\"\[-]){name}=('[^']*'|\.\.\.|-?\w+(?:\.\w+)?)?", option, message
        )
        # Bare names are only translated if they contain an underscore, i.e. are not English words.
        return re.sub(
            rf"(?<![\w.'\"\[=-])(?=\w+_){name}()(?![\w'\"\]=(])",
            option,
            message,
        )


def has_form(hint: Any) -> bool:
    """Whether values of a type can be written on the command line."""
    if hint is bool or _of_names(hint):
        return True
    values = Values(hint) if hint is not None else None
    return values is not None and bool(values.forms or set(values.names) - {"none"})


def _of_names(hint: Any) -> bool:
    """Whether a type allows a list of names."""
    return any(part == Sequence[str] for part in members(hint))


def _add(
    group: Any,
    name: str,
    hint: Any,
    *,
    default: Any,
    help: str,
    within: Range | None = None,
    metavar: str | None = None,
    otherwise: str = "",
) -> None:
    """Add an option for a parameter; it is required if there is no default."""
    given: dict[str, Any] = {"default": default}
    if default is inspect.Parameter.empty:
        given = {"required": True}
    if hint is bool:
        given["action"] = argparse.BooleanOptionalAction
    else:
        several = _of_names(hint)
        values = Values(str if several else hint, metavar)
        given |= {"action": _Generated, "type": values, "metavar": values.metavar}
        given |= {"nargs": "+"} if several else {}
    action = group.add_argument(f"--{name.replace('_', '-')}", **given)
    # Set here because BooleanOptionalAction writes the default as Python does.
    action.help = help
    if isinstance(action, _Generated):
        action.interval, action.otherwise = _interval(within), otherwise


def _interval(within: Range | None) -> str:
    """Format the range of a number for the help."""
    if within is None:
        return ""
    if within.high == math.inf:
        return f"{'>' if within.open_low else '>='} {within.low:g}"
    left, right = "(" if within.open_low else "[", ")" if within.open_high else "]"
    return f"in {left}{within.low:g}, {within.high:g}{right}"


@dataclass(frozen=True)
class Command:
    """A command: its description, its arguments, and the function that runs it."""

    text: str
    fill: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]
    form: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def parser_of(commands: Mapping[str, Command], **given: Any) -> Parser:
    """The parser of all commands."""
    whole = Parser(**given)
    whole.add_commands(commands)
    return whole
