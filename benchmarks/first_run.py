"""The fine-tuning lab as it opens: seconds from Start to the finished run, and what the run is worth.

Each run is in a process of its own with an empty cache, as in a notebook that was just opened; what a learner waits for
is in the time: TensorFlow's start, the images, the backbone, features, both phases, the validation part, and the files
of the run. The second start in the same process finds images and features in the cache.

    python benchmarks/first_run.py [--seeds 3] [--backbones ResNet50 VGG16]
"""

import argparse
import statistics
import tempfile
import time

from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def start_twice(name, seed):
    "Seconds of the first and of the second start, and the accuracy of the first run"
    from tlcourse.backbones import find_spec
    from tlcourse.labs.lab_run import RunSettings, Session

    settings = RunSettings(backbone=name, cut=list(find_spec(name).cut_points)[-1], seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        session, seconds = Session(folder), []
        for _ in range(2):
            start = time.perf_counter()
            session.start(settings)
            session.controller.wait()
            if session.controller.error is not None:
                raise session.controller.error
            seconds.append(time.perf_counter() - start)
        return [*seconds, session.runs[0].accuracy]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbones", nargs="+", default=["ResNet50", "VGG16"])
    arguments = parser.parse_args()
    print(f"processor {precision.processor()}", flush=True)
    for name in arguments.backbones:
        first, second, accuracy = zip(
            *(in_own_process(start_twice, name, seed) for seed in range(arguments.seeds)), strict=True
        )
        print(
            f"{name}: {statistics.median(first):.1f} s from Start to the finished run (highest {max(first):.1f} s of "
            f"{len(first)}), the second time {statistics.median(second):.1f} s; accuracy "
            f"{100 * statistics.mean(accuracy):.1f} % on the validation part",
            flush=True,
        )


if __name__ == "__main__":
    main()
