"""Run notebooks as tests, each in a process of its own, and say what each costs.

The processes are forked from one that has TensorFlow imported, so that a notebook begins at once and leaves nothing
behind: neither memory nor Keras's global state.

    python tools/notebooks.py [NOTEBOOK or FOLDER ...] [--workers 2] [--save] [--flags slow] [--table FILE]
"""

import argparse
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("lessons", "exercises", "toolkit")  # the long ones first, so that no worker ends long after the others
PRELOAD = ["tensorflow", "keras", "matplotlib.pyplot", "optuna", "pandas", "sklearn.pipeline", "nbdev.test", "pytest"]


@dataclass(frozen=True)
class Ran:
    "What became of a notebook"

    notebook: str  # its path below `nbs`
    error: str  # the last line of the error; empty where there was none
    trace: str  # the whole of it
    seconds: float  # on the clock
    cpu_seconds: float  # of the process and of those that it started
    peak_mb: float  # of the process; memory that it shares with the one it was forked from counts


def find(names=()):
    "The notebooks of these files and folders; of the whole course by default"
    places = [Path(name).resolve() for name in names] or [ROOT / "nbs" / folder for folder in (*FOLDERS, ".")]
    found = [path for place in places for path in (sorted(place.rglob("*.ipynb")) if place.is_dir() else [place])]
    return [path for path in dict.fromkeys(found) if not any(part.startswith((".", "_")) for part in path.parts)]


def cost():
    "CPU seconds of this process and of those that it started"
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(path, save=False, flags=""):
    "Run one notebook in this process, as nbdev does"
    from nbdev.test import test_nb

    began, worked = time.perf_counter(), cost()
    with tempfile.TemporaryFile() as said:
        error_output = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            skip = {"notest", "slow"} - set(flags.split())
            limit = 7200 if flags else 600
            passed, _ = test_nb(path, list(skip), flags.split(), basepath=ROOT, save=save, cell_timeout=limit)
        finally:
            os.dup2(error_output, 2)
            said.seek(0)
            trace = re.sub(r"\x1b\[[0-9;]*m", "", said.read().decode(errors="replace"))
    lines = [
        line for line in trace.splitlines() if re.match(r"^[\w.]*(Error|Exception|Warning|Interrupt|Timeout)", line)
    ]
    error = "" if passed else (lines or trace.splitlines() or ["it failed and said nothing"])[-1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Ran(name_of(path), error, trace, time.perf_counter() - began, cost() - worked, peak)


def name_of(path):
    return str(Path(path).relative_to(ROOT / "nbs"))


class Memory:
    "The most memory that this process and all below it held together, in MB, looked at twice a second"

    def __enter__(self):
        self.peak_mb, self._done = 0.0, threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self):
        import psutil

        while not self._done.wait(0.5):
            total = 0
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                try:
                    total += process.memory_full_info().pss  # what processes share is counted once
                except (psutil.Error, OSError):
                    continue
            self.peak_mb = max(self.peak_mb, total / 2**20)

    def __exit__(self, *_):
        self._done.set()


def run_all(paths, workers=2, **options):
    "Run notebooks in processes of their own, so many at a time, and give what became of each as it ends"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    with ProcessPoolExecutor(workers, context, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(run, path, **options): path for path in paths}
        for future in as_completed(waiting):
            try:
                yield future.result()
            except Exception as problem:  # the process died, such as for want of memory
                yield Ran(name_of(waiting[future]), f"{type(problem).__name__}: {problem}", "", 0.0, 0.0, 0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="notebooks or folders; the whole course by default")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (2)")
    parser.add_argument("--save", action="store_true", help="keep the outputs of notebooks that pass")
    parser.add_argument("--flags", default="", help="run cells with these flags too, such as slow")
    parser.add_argument("--table", help="a CSV file for what each notebook cost, and its error")
    options = parser.parse_args()
    done, began = [], time.perf_counter()
    with Memory() as memory:
        for ran in run_all(find(options.notebooks), options.workers, save=options.save, flags=options.flags):
            done.append(ran)
            how = f"FAILED {ran.error}" if ran.error else "ok"
            print(f"{ran.cpu_seconds:5.0f} CPU s {ran.peak_mb:6.0f} MB  {ran.notebook}: {how}", flush=True)
    failed = [ran for ran in done if ran.error]
    for ran in failed:
        print(f"\n== {ran.notebook}\n{ran.trace}", file=sys.stderr)
    if options.table:
        import pandas as pd

        rows = [{name: value for name, value in asdict(ran).items() if name != "trace"} for ran in done]
        pd.DataFrame(rows).round(1).to_csv(options.table, index=False)
    print(
        f"{len(done) - len(failed)} notebooks passed, {len(failed)} failed in {time.perf_counter() - began:.0f} s; "
        f"{sum(ran.cpu_seconds for ran in done):.0f} CPU s, at most {memory.peak_mb:.0f} MB together"
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
