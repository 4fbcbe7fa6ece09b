"""The command ``pysces benchmark``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial

from pysces.settings import ENGINES
from speed.run import SIZES, benchmark


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; the exit status is 0 if all results that were compared agree."""
    parser = argparse.ArgumentParser(
        prog="pysces benchmark",
        description="Time every engine on every kernel and on whole workflows.",
    )
    parser.add_argument("--kernels", nargs="*", metavar="NAME", help="these kernels (default: all)")
    parser.add_argument("--workflows", nargs="*", metavar="NAME", help="these workflows")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, metavar="ENGINE")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--sizes", choices=SIZES, help="3, 4 or 6 sizes")
    amount.add_argument("--seconds", type=float, metavar="S", help="total time (default: 100)")
    parser.add_argument("--threads", type=int, metavar="N", help="of Numba (default: all)")
    parser.add_argument("--peers", action="store_true", help="also time other programs")
    parser.add_argument("-o", "--output", default="pysces-benchmark", metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    report = benchmark(
        options.kernels,
        options.engines,
        workflows=options.workflows,
        sizes=options.sizes,
        seconds=options.seconds,
        threads=options.threads,
        peers=options.peers,
        show=None if options.json else partial(print, flush=True),
    )
    written = report.write(options.output)
    print(json.dumps(report.to_dict(), indent=2) if options.json else report.footer(written))
    return 0 if report else 1


if __name__ == "__main__":
    sys.exit(main())
