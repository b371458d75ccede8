"""CPU time and page faults of a training step, with the C library's own rule for freed memory and with the course's.

The top stage of ResNet50 and of VGG16 trains on features, each time in a process of its own, the two rules in turn.

    python benchmarks/allocator.py [--turns 3] [--size 96]
"""

import argparse
import resource
import statistics
from unittest import mock

from tlcourse.measuring import in_own_process

IMAGES, EPOCHS, BATCH = 160, 6, 16
# the C library has its own rule where its padding is set to what it is anyway
RULES = {"given back": {"MALLOC_TOP_PAD_": "131072"}, "kept": {}}


def step(name, size):
    "Seconds of user and of system time and page faults of a training step"
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.splitting import Splits
    from tlcourse.training.training_run import TrainingRun

    images = data.load("textures").subset(range(IMAGES))
    model = fine_tuning.build_classifier(backbones.load_backbone(name, "course", size), images.class_names)
    phase = fine_tuning.Phase(list(fine_tuning.stages(model))[-1], EPOCHS, 1e-4)
    ended, used = TrainingRun.epoch_ended, []

    def note(run, *arguments):
        ended(run, *arguments)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used.append((usage.ru_utime, usage.ru_stime, usage.ru_minflt))

    with mock.patch.object(TrainingRun, "epoch_ended", note):
        held_out = images.subset(range(BATCH))
        fine_tuning.fine_tune(model, Splits(images, held_out, held_out), [phase], batch_size=BATCH)
    steps = (EPOCHS - 1) * IMAGES // BATCH
    return [(last - first) / steps for first, last in zip(used[0], used[-1], strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--size", type=int, default=96)
    arguments = parser.parse_args()
    for name in ("ResNet50", "VGG16"):
        turns = []
        for _ in range(arguments.turns):
            turns.append([in_own_process(step, name, arguments.size, **rule) for rule in RULES.values()])
        for number, what in enumerate(RULES):
            user, system, faults = (statistics.median(turn[number][part] for turn in turns) for part in range(3))
            print(f"{name}, freed memory {what}: {1000 * (user + system):.0f} ms of CPU a step", end=", ")
            print(f"{1000 * system:.0f} of them in the system; {faults:.0f} page faults")
        ratios = [sum(given_back[:2]) / sum(kept[:2]) for given_back, kept in turns]
        print(f"{name}: {statistics.median(ratios):.2f} times less CPU time", flush=True)


if __name__ == "__main__":
    main()
