"""A job of the toy workflow: hashes its inputs, and does on the way what a test has asked of it.

`todo/<rule>-<sample>.json` may say {"allocate_mb": 900, "sleep": 5}; a job stands still as long as
`hold/<rule>-<sample>` exists. Where it runs is noted in `seen/`, outside the results, which depend on
inputs alone.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

LONGEST = 1200  # seconds that a job stands still, should the test be gone


def note(name):
    variables = {
        key: value for key, value in os.environ.items() if key.startswith(("SLURM", "CUDA"))
    }
    variables["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS")
    folder = Path("seen")
    folder.mkdir(exist_ok=True)
    temporary = folder / f".{name}-{os.getpid()}"
    temporary.write_text(json.dumps(variables))
    temporary.rename(folder / f"{name}-{time.time_ns()}.json")


def main(rule, sample, output, *inputs):
    name = f"{rule}-{sample}"
    note(name)
    todo = Path(f"todo/{name}.json")
    wanted = json.loads(todo.read_text()) if todo.exists() else {}
    block = bytearray(1)
    for _ in range(wanted.get("allocate_mb", 0) // 10):  # slowly, so that memory is seen to grow
        block.extend(b"x" * 10_000_000)
        time.sleep(0.03)
    time.sleep(wanted.get("sleep", 0))
    end = time.monotonic() + LONGEST
    while Path(f"hold/{name}").exists() and time.monotonic() < end:
        time.sleep(0.2)
    text = name + "".join(Path(path).read_text() for path in inputs)
    Path(output).write_text(hashlib.sha256(text.encode()).hexdigest() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
