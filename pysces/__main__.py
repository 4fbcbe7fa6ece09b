"""``python -m pysces``."""

from pysces.cli import main

raise SystemExit(main())
