"""Read text files with checks of compression, encoding, sizes and fields per line.

All files are read by ``lines``: it decompresses by content (not by name), decodes, and raises an
error for files that are not text. ``Body`` passes the lines of a table to pandas and checks their
number of fields. ``reading`` is a context for readers that converts failures to InputError.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import logging
import lzma
import re
from array import array
from itertools import islice
from math import nan
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from pysces._messages import listed
from pysces.errors import InputError, PyscesError
from pysces.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

logger = logging.getLogger("pysces")

MISSING = frozenset(["", "NA", "NaN", "nan", "NULL", "None", "#N/A", "N/A", "<NA>"])
BLANKS = " "
"""Separator of lines whose fields are separated by any number of spaces."""
LINE_BREAK = "\x1e"
"""Replaces a line break inside quotes; text files cannot contain this character."""

_SEPARATOR = "\x1f"  # text files cannot contain this one either
_CHUNK = 2**20
_MOST_LINES_QUOTED = 100
_UNPACKED_AT_LEAST, _UNPACKED_RATIO = 2**28, 200
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_PACKED: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_KINDS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a parquet file",
    b"%PDF": "a PDF",
}
_MARKUP = re.compile(rb"\s*<(!doctype|html|head|body|\?xml|graphml)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\s*[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|infinity|nan)\s*",
    re.ASCII | re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*", re.ASCII)


@contextlib.contextmanager
def reading(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Context for readers: failures become an InputError with file, fault and remedy.

    Libraries raise various exceptions (gzip, zlib, pyarrow, rdata, h5py, zarr, XML parsers,
    RecursionError, MemoryError). A missing package stays a PyscesError.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    try:
        yield
    except InputError as error:
        if path.name in str(error):
            raise
        raise InputError(f"{path.name}: {error}") from error
    except PyscesError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path.name} cannot be {what} ({type(error).__name__}{': ' if reason else ''}"
            f"{reason}). {remedy}"
        ) from error


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed by its content, not by its name."""
    with open(path, "rb") as raw:
        start = raw.read(8)
        raw.seek(0)
        unpack = next((open_ for magic, open_ in _PACKED if start.startswith(magic)), None)
        if unpack is bz2.open and not start[3:7].endswith(b"1AY"):
            unpack = None  # text that starts with BZh
        if unpack is None:
            yield raw
            return
        with unpack(raw, "rb") as stream:
            yield stream


def chunks(path: Path) -> Iterator[bytes]:
    """Yield decompressed bytes in pieces of 1 MB; InputError if they exceed the limit."""
    size = path.stat().st_size
    most = settings.max_unpacked or max(_UNPACKED_AT_LEAST, _UNPACKED_RATIO * size)
    with open_bytes(path) as stream:
        packed = not isinstance(stream, io.BufferedReader)
        total = 0
        while chunk := stream.read(_CHUNK):
            total += len(chunk)
            if packed and total > most:
                raise InputError(
                    f"{path.name} has {size} bytes and unpacks to more than {most}, which suggests "
                    "a corrupt file. If that is correct, raise pysces.settings.max_unpacked, "
                    "or unpack the file first."
                )
            yield chunk


def whole(path: Path) -> bytes:
    """All bytes of a file, decompressed."""
    return b"".join(chunks(path))


def lines(path: Path, *, quiet: bool = False) -> Iterator[tuple[int, str]]:
    """Lines of a text file with their numbers from 1, without line breaks (LF, CRLF or CR).

    Supports UTF-8, UTF-16 with byte order mark, and Latin-1 (Windows-1252), which is logged unless
    ``quiet``. InputError if the file is not text, or a line is longer than ``settings.max_line``.
    """
    rest, number, warned = b"", 0, quiet
    for chunk in _as_utf8(path):
        rest = chunk if not rest else rest + chunk
        # A CR at the very end may be the first half of CRLF
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r", 0, len(rest) - 1)) + 1
        if not end and len(rest) > settings.max_line:
            raise InputError(
                f"{path.name}, line {number + 1}: longer than {settings.max_line} bytes. If that "
                "is correct, raise pysces.settings.max_line."
            )
        ready, rest = rest[:end], rest[end:]
        for line in _decoded(ready, number, path):
            number += 1
            if isinstance(line, bytes):
                line = _latin(line, number, path, warned)
                warned = True
            yield number, line
    for line in _decoded(rest, number, path):
        number += 1
        yield number, line if isinstance(line, str) else _latin(line, number, path, warned)


def _decoded(block: bytes, number: int, path: Path) -> Iterator[str | bytes]:
    """Lines of a block of complete lines; as bytes if they are not UTF-8."""
    if found := _CONTROL.search(block):
        at = number + max(1, len(block[: found.end()].splitlines()))
        raise InputError(
            f"{path.name}, line {at}: the byte 0x{found[0].hex()} is not text. The file is "
            "binary, compressed by another program, or corrupt. Pass a text file, or pass format= "
            "('parquet', 'rds') if it holds a network."
        )
    for line in block.splitlines():
        try:
            yield line.decode()
        except UnicodeDecodeError:
            yield line


def _latin(line: bytes, number: int, path: Path, warned: bool) -> str:
    try:
        text = line.decode("cp1252")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name}, line {number}: neither UTF-8 nor Latin-1 ({error.reason}). It is not a "
            "text file; save it as UTF-8."
        ) from error
    if not warned:
        logger.warning(
            "%s, line %d: not UTF-8, so it is read as Latin-1: %r. Save the file as UTF-8 if names "
            "are wrong.",
            path.name,
            number,
            text[:60],
        )
    return text


def _as_utf8(path: Path) -> Iterator[bytes]:
    """Bytes of a text file without byte order mark; UTF-16 is converted to UTF-8."""
    pieces = chunks(path)
    first = next(pieces, b"")
    kind = next((words for magic, words in _KINDS.items() if first.startswith(magic)), None)
    if kind is not None:
        raise InputError(
            f"{path.name} is not a text file but {kind}. Unpack or open it with its own program "
            "and save it as text (TSV or CSV)."
        )
    if _MARKUP.match(first.removeprefix(codecs.BOM_UTF8)):
        raise InputError(
            f"{path.name} is an HTML or XML page, not a table: a web site may have sent it "
            "instead of the file. Check its content and download the file again."
        )
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        decoder = codecs.getincrementaldecoder("utf-16")()
        yield decoder.decode(first).encode()
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
        return
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from pieces


def first_lines(path: Path, most: int = 50) -> list[tuple[int, str]]:
    """The first lines that are not blank, with their numbers, including comments (#)."""
    filled = ((number, text) for number, text in lines(path, quiet=True) if text.strip())
    head: list[tuple[int, str]] = []
    n_body = 0
    for number, text in islice(filled, 1000):
        head.append((number, text))
        n_body += not text.startswith("#")
        if n_body == most:
            break
    return head


def is_number(text: str) -> bool:
    """Whether text is a number or a missing value."""
    return _NUMBER.fullmatch(text) is not None or text in MISSING


def numbers_of(column: pd.Series) -> pd.Series:
    """Numbers of a column; NaN for text that is not a number.

    `pandas.to_numeric` is not used since it crashes on text such as ``-11e512925464970229``.
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column
    texts = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    return texts.map(lambda text: float(text) if _NUMBER.fullmatch(text) else nan).astype("float64")


def has_decimal_comma(text: str) -> bool:
    """Whether text is a number written with a comma."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def separator_of(line: str) -> str:
    """The separator of the fields of a line: tab, else comma, else semicolon, else spaces."""
    plain = re.sub(r'"[^"]*"', "", line)
    return next((mark for mark in "\t,;" if mark in plain), BLANKS)


def split_fields(text: str, separator: str | None = None) -> list[str]:
    """Fields of a line, without surrounding double quotes and spaces."""
    separator = separator_of(text) if separator is None else separator
    fields = _quoted(text, separator, strict=False) if '"' in text else _plain(text, separator)
    return [field.strip() for field in fields]


def header_fields(path: Path, number: int, text: str, separator: str) -> list[str]:
    """Names of a header, without empty ones at its end; InputError if a quote is not closed."""
    names = split_fields(text, separator)
    if '"' in text:
        try:
            _quoted(text, separator, strict=True)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise InputError(_unclosed(path, number)) from error
    while len(names) > 1 and not names[-1]:
        names.pop()
    return names


def _unclosed(path: Path, number: int) -> str:
    return f'{path.name}, line {number}: a quote (") is opened and not closed. Close or remove it.'


def unquoted(field: str) -> str:
    """A field without surrounding quotes; a prime at the end of a name is kept."""
    quoted = len(field) >= 2 and field[0] in "\"'" and field[0] == field[-1]
    return field[1:-1] if quoted else field


def _plain(text: str, separator: str) -> list[str]:
    return text.split() if separator == BLANKS else text.split(separator)


def _simply_quoted(text: str, separator: str) -> list[str] | None:
    """Fields of a line with quotes around whole fields only; ``None`` for other quotes."""
    if separator == BLANKS:
        return None
    fields = text.split(separator)
    for position, field in enumerate(fields):
        if '"' in field:
            inner = field[1:-1]
            if len(field) < 2 or field[0] != '"' or field[-1] != '"' or '"' in inner:
                return None
            fields[position] = inner
    return fields


@contextlib.contextmanager
def long_fields() -> Iterator[None]:
    """Context in which the csv module accepts fields as long as a line may be.

    Its limit (131,072) belongs to the whole process, so it is restored.
    """
    before = csv.field_size_limit(max(csv.field_size_limit(), settings.max_line))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _quoted(text: str, separator: str, *, strict: bool) -> list[str]:
    """Fields of text with quotes; csv.Error if strict and a quote is not closed or misplaced."""
    if separator == BLANKS:
        text = text.replace("\t", " ").strip()
    rows = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        skipinitialspace=separator == BLANKS,
        strict=strict,
    )
    with long_fields():
        return next(rows, [])


class Body(io.TextIOBase):
    r"""The lines of a table below its header, as text for pandas, with checked numbers of fields.

    Blank lines and comments (#) are left out. Every line has as many fields as the header, or every
    line has one more, which is R's row name; extra empty fields at the end of a line are dropped.

    Parameters
    ----------
    path
        The file.
    header
        Line number of the header; 0 if there is none.
    separator
        ``"\t"``, ``","``, ``";"`` or `BLANKS`.
    n_fields
        Number of fields of the header; ``None`` for that of the first line.
    named
        Whether the first field of each line is its name, which is stored in ``names``.
    """

    def __init__(
        self, path: Path, header: int, separator: str, n_fields: int | None, *, named: bool = False
    ) -> None:
        self.path, self.header, self.separator = path, header, separator
        self.n_fields = n_fields
        self.named = named
        self.row_names = False
        self.names: list[str] = []
        self.line_numbers = array("q")
        self.n_empty = self.n_comments = 0
        self.failure: BaseException | None = None
        self._rows = self._records()
        self._ready = list(islice(self._rows, 1))

    @property
    def is_empty(self) -> bool:
        """Whether there are no lines below the header."""
        return not self._ready

    @property
    def width(self) -> int:
        """Fields of a line that are passed to pandas."""
        return (self.n_fields or 0) - self.named + (self.row_names and self.named)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> str:
        """Complete lines of about ``size`` characters in total."""
        found, length = self._ready, sum(map(len, self._ready))
        self._ready = []
        try:
            for row in self._rows if size else ():
                found.append(row)
                length += len(row)
                if size is not None and 0 < size <= length:
                    break
        except BaseException as error:  # pandas would replace it by its own error
            self.failure = error
            raise
        return "".join(found)

    def _records(self) -> Iterator[str]:
        numbered = lines(self.path)
        blank = self.separator + " \t\v\f"
        quick = self.n_fields  # the number of fields is as expected
        for number, text in numbered:
            if number <= self.header or not text.strip(blank):
                continue
            if text.startswith("#"):
                self.n_comments += 1
                continue
            if '"' in text or self.separator == BLANKS:
                fields = self._split(number, text, numbered)
                n_fields = self._checked(number, fields)
                record = _SEPARATOR.join(fields[:n_fields]).replace("\n", LINE_BREAK)
                quick = (self.n_fields or 0) + self.row_names
            elif text.count(self.separator) + 1 == quick:
                record = text.replace(self.separator, _SEPARATOR)
            else:
                fields = text.split(self.separator)
                record = _SEPARATOR.join(fields[: self._checked(number, fields)])
                quick = (self.n_fields or 0) + self.row_names
            self.line_numbers.append(number)
            if self.named or self.row_names:
                name, _, record = record.partition(_SEPARATOR)
                self.names.append(name)
            yield record + "\n"

    def _split(self, number: int, text: str, numbered: Iterator[tuple[int, str]]) -> list[str]:
        """Fields of a line, and of the following ones while a quote is open."""
        if '"' not in text:
            return _plain(text, self.separator)
        if (fields := _simply_quoted(text, self.separator)) is not None:
            return fields
        n_lines, longest = 1, settings.max_line
        while True:
            try:
                return _quoted(text, self.separator, strict=True)
            except csv.Error as error:
                if "unexpected end" not in str(error):
                    if n_lines == 1:  # "MYC"-like: text after the quote belongs to the field
                        return _quoted(text, self.separator, strict=False)
                    break
                following = next(numbered, None)
                if following is None or n_lines == _MOST_LINES_QUOTED or len(text) > longest:
                    break
                text += "\n" + following[1]
                n_lines += 1
        raise InputError(
            f'{self.path.name}, line {number}: a quote (") is opened and not closed. Close or '
            "remove it."
        )

    def _checked(self, number: int, fields: list[str]) -> int:
        """Number of fields without extra empty ones; InputError if it differs from the header."""
        n_fields = len(fields)
        if self.n_fields is None:
            self.n_fields = n_fields
        first = not self.line_numbers
        wanted = self.n_fields + self.row_names
        while n_fields > wanted and not fields[n_fields - 1].strip():
            n_fields -= 1
        self.n_empty += n_fields < len(fields)
        if first and n_fields == wanted + 1 and self.header:
            self.row_names = True
            return n_fields
        if n_fields == wanted:
            return n_fields
        commas = self.separator == "," and any(field.strip().isdigit() for field in fields)
        of = f"the header (line {self.header}) names {self.n_fields}"
        if self.row_names:
            of = f"the lines above have {wanted}"
        elif not self.header:
            of = f"the first line has {self.n_fields}"
        raise InputError(
            f"{self.path.name} cannot be read as a table: line {number} has {n_fields} "
            f"field{'s' if n_fields != 1 else ''}, and {of}, so that fields would shift to other "
            "columns. Is the file truncated, a name missing in the header, or the separator inside "
            f"a field{_COMMAS if commas else ''}?"
        )

    def to_frame(self, **options: Any) -> pd.DataFrame:
        """All lines, parsed by pandas; the index has the numbers of the lines."""
        if self.is_empty:
            return pd.DataFrame(index=pd.Index([], name="line", dtype="int64"))
        try:
            frame = pd.read_csv(
                self,
                sep=_SEPARATOR,
                header=None,
                names=range(self.width),
                index_col=False,
                quoting=csv.QUOTE_NONE,
                keep_default_na=False,
                skip_blank_lines=False,
                **options,
            )
        except Exception as error:
            if self.failure is not None:
                raise self.failure from error
            raise
        if self.n_empty:
            logger.warning(
                "%s: dropped empty fields at the end of %d of %d lines; the header has no name for "
                "them.",
                self.path.name,
                self.n_empty,
                len(frame),
            )
        if self.n_comments:
            logger.warning(
                "%s: left out %d lines below the header that start with '#'.",
                self.path.name,
                self.n_comments,
            )
        if self.row_names and len(set(self.names)) < len(self.names):
            repeated = pd.Index(self.names)
            raise InputError(
                f"{self.path.name} has {self.n_fields} names in its header (line {self.header}) "
                f"and {(self.n_fields or 0) + 1} fields in each line, and the first fields are not "
                f"row names as written by R, since they repeat: "
                f"{listed(repeated[repeated.duplicated()].unique(), 3)}. Name every column."
            )
        return frame.set_axis(pd.Index(self.line_numbers, name="line"), axis=0)


_COMMAS = " (for example a decimal comma: write numbers with a point)"
