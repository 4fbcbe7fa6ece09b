"""One program in a process of its own, told what to do line by line.

``python -m pysces.benchmarking.worker TASK PROGRAM`` reads JSON from standard input and answers
each line with one line: ``{"prepare": rung, "result": path}`` computes once, ``{"time": rung}``
again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import IO, Any

import numpy as np


def process_peak() -> int:
    """Peak resident memory of this process so far, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def answer(lines: IO[str], answers: IO[str], task_name: str, program_name: str) -> None:
    """Answer every line until there is none."""
    import warnings

    from pysces.benchmarking import programs
    from pysces.settings import settings

    warnings.simplefilter("ignore")  # of other programs, on their own behalf
    settings.verbosity = "silent"
    task = next(t for t in programs.TASKS if t.name == task_name)
    program = next(p for p in task.programs if p.name == program_name)
    data: dict[int, Any] = {}
    for line in lines:
        asked = json.loads(line)
        if "prepare" in asked:
            rung = asked["prepare"]
            if not data:
                program.run(task.data(0))  # compiled and loaded
            data = {rung: task.data(rung)}
            before = process_peak()
            begin = time.perf_counter()
            scores = program.run(data[rung])
            seconds = time.perf_counter() - begin
            told = {
                "seconds": seconds,
                "bytes": max(0, process_peak() - before),
                "planted": programs.tell(data[rung], scores),
            }
            np.save(asked["result"], scores)
        else:
            begin = time.perf_counter()
            program.run(data[asked["time"]])
            told = {"seconds": time.perf_counter() - begin}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


def series_peak(name: str, engine: str, rung: int) -> int:
    """Peak memory of one kernel or workflow beyond its input, in a fresh process."""
    from pysces.benchmarking.series import all_series

    series = all_series()[name]
    series.job(0).run(engine)  # compiled and loaded
    job = series.job(rung)
    before = process_peak()
    job.run(engine)
    return max(0, process_peak() - before)


def main(arguments: list[str]) -> None:
    """Answer, or measure one peak; whatever programs print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        if arguments[0] == "series":
            answers.write(str(series_peak(arguments[1], arguments[2], int(arguments[3]))))
        else:
            answer(sys.stdin, answers, *arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
