"""How much faster nearest neighbours answer on few features than on many, in CPU seconds.

A brute-force 1-nearest-neighbour model knows 6,400 rows and answers 640, on one thread; the columns are drawn from a
normal distribution, for the time does not depend on what they say. `--save` writes a row for each repetition and number
of features, with the least CPU seconds of five tries.

    python selection_speed.py [--repetitions 10] [--save selection_speed.csv]
"""

import argparse
import time

import numpy as np
import pandas as pd

from tlcourse.measuring import in_own_process

COUNTS = (512, 128, 32, 16)


def measure(repetition):
    "The rows of one repetition"
    from sklearn.neighbors import KNeighborsClassifier

    from tlcourse.networks import precision

    rng, rows = np.random.default_rng(repetition), []
    for count in COUNTS:
        known, asked = (rng.normal(size=(number, count)).astype(np.float32) for number in (6400, 640))
        model, tries = KNeighborsClassifier(1, algorithm="brute").fit(known, np.arange(6400) % 10), []
        for _ in range(5):
            started = time.process_time()
            model.predict(asked)
            tries.append(time.process_time() - started)
        rows.append({"seed": repetition, "features": count, "CPU seconds": min(tries)})
    return [row | {"processor": precision.processor()} for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    rows = [row for number in range(arguments.repetitions) for row in in_own_process(measure, number, **threads)]
    table = pd.DataFrame(rows)
    if arguments.save:
        table.to_csv(arguments.save, index=False, float_format="%.4g", lineterminator="\n")
    print(table.groupby("features")["CPU seconds"].describe().round(4).to_string())


if __name__ == "__main__":
    main()
