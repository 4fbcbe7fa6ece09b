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

from pysces.benchmarking import measure


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
            kept: list[Any] = []

            def call(data: Any = data[rung], kept: list[Any] = kept) -> None:
                begin = time.perf_counter()
                scores = program.run(data)
                kept[:] = [time.perf_counter() - begin, scores]

            peak = measure.process_peak_bytes(call)
            seconds, scores = kept
            planted = programs.tell(data[rung], scores)
            told = {"seconds": seconds, "bytes": peak, "planted": planted}
            np.save(asked["result"], scores)
        else:
            begin = time.perf_counter()
            program.run(data[asked["time"]])
            told = {"seconds": time.perf_counter() - begin}
        answers.write(json.dumps(told) + "\n")
        answers.flush()


def kernel_peak(name: str, engine_name: str, path: str) -> int:
    """Peak memory of one kernel beyond its input, in a fresh process.

    The input is read from a file: to make it here would leave a peak of its own.
    """
    from pysces.benchmarking.workloads import workloads
    from pysces.dispatch import engines
    from pysces.dispatch.contracts import Spec, declared

    contract, engine = declared()[name], engines.choose(engine_name)
    engine.compute(contract, contract.bind(workloads()[name](0).arguments))  # compiled and loaded
    with np.load(path) as file:
        read = {key: file[key] for key in file.files}
    given = {
        key: value if isinstance(contract.parameters[key], Spec) else value.item()
        for key, value in read.items()
    }
    return measure.process_peak_bytes(lambda: engine.compute(contract, given))


def main(arguments: list[str]) -> None:
    """Answer, or measure one peak; whatever programs print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        if arguments[0] == "kernel":
            answers.write(str(kernel_peak(*arguments[1:])))
        else:
            answer(sys.stdin, answers, *arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
