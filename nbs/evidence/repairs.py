"""What each of the six repairs of an exercise of lesson 7 is worth: accuracy with one fault put back at a time.

VGG16 up to its fourth block learns to tell grass from gravel, from twenty patches of 32 pixels each; the test patches
are of other places. Where a fault does not even run, there is no accuracy. Each seed divides the images anew by place.
`--save` writes what `recipe_gains` gives: a row for each fault, with half of the interval that allows for images that
the seeds share.

The table beside this script is not from a run of it as it stands: it was written from the output that the exercises
kept when they still did the same in a cell, on five seeds; half of Student's interval, which it had, is widened in it.

    python repairs.py [--seeds 5] [--save repairs.csv]
"""

import argparse

from tlcourse.exercises.fine_tuning import recipe_gains
from tlcourse.measuring import in_own_process
from tlcourse.networks import precision


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    gains = in_own_process(recipe_gains, arguments.seeds).rename_axis("fault").round(1)
    if arguments.save:
        gains.assign(seeds=arguments.seeds, processor=precision.processor()).to_csv(arguments.save, lineterminator="\n")
    print(gains.to_string())


if __name__ == "__main__":
    main()
