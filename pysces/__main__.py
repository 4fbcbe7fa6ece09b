"""Run the command line with ``python -m pysces``."""

from pysces.cli import main

raise SystemExit(main())
