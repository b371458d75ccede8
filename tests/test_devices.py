"""Several devices give the weights that one gives."""

import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.long(60)  # both: one after the other in one process, they share what one device gave

SCRIPT = """if True:
    import sys
    import numpy as np
    import tensorflow as tf

    count, where = int(sys.argv[1]), sys.argv[2]
    cpu, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    from tlcourse import backbones, data, fine_tuning
    from tlcourse.splitting import Splits

    images = data.load("textures").sample(per_class=2)
    splits = Splits(images.subset(range(11)), images.subset(range(11, 18)), images.subset(range(18, 20)))
    backbone = backbones.load_backbone("VGG16", "course", 32)
    model = fine_tuning.build_classifier(backbone, images.class_names, dropout=0.0)
    # batches of 4, 4 and 3 images, and of 4 and 3
    phases = [fine_tuning.Phase("head", 2, 1e-2), fine_tuning.Phase("block5", 2, 1e-3, "sgd")]
    devices = [f"CPU:{number}" for number in range(count)]
    strategy = tf.distribute.MirroredStrategy(devices) if count > 1 else None
    history = fine_tuning.fine_tune(model, splits, phases, batch_size=4, restore_best=False, strategy=strategy,
                                    precision="float32", class_weight={images.class_names[0]: 2.0}).history
    np.savez(where, *model.get_weights(), **{name: np.array(values) for name, values in history.items()})
    model.evaluate(splits.test.to_dataset(32), verbose=0)  # it is a plain model again
"""


def run(script, count, where):
    "What the script leaves when it runs on so many devices"
    ran = subprocess.run([sys.executable, "-c", script, str(count), where], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return dict(np.load(where))


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    return run(SCRIPT, 1, tmp_path_factory.mktemp("devices") / "1.npz")


def test_two_devices_give_the_weights_of_one(one_device, tmp_path):
    found = {1: one_device, 2: run(SCRIPT, 2, tmp_path / "2.npz")}
    weights = [name for name in found[1] if name.startswith("arr_")]
    assert len(weights) == 28
    for name in weights:
        one = found[1][name]
        assert np.abs(found[2][name] - one).max() <= 1e-5 * max(1.0, np.abs(one).max())
    # what fills a batch up counts for nothing; the accuracy of training is weighted by class on several devices only
    for name in ("val_accuracy", "val_loss"):
        np.testing.assert_allclose(found[2][name], found[1][name], rtol=1e-4)


def test_without_equal_shards_the_weights_would_differ(one_device, tmp_path):
    script = SCRIPT.replace(
        "from tlcourse.splitting", "fine_tuning.equal_shards = unequal\n    from tlcourse.splitting"
    )
    script = script.replace("    from tlcourse import", UNEQUAL + "    from tlcourse import")
    two = run(script, 2, tmp_path / "2.npz")
    assert max(np.abs(one_device[name] - two[name]).max() for name in two if name.startswith("arr_")) > 1e-4


UNEQUAL = """    def unequal(dataset, devices, weight=None):
        return dataset.map(lambda inputs, labels: (inputs, labels, tf.ones(tf.shape(labels)[:1])))

"""
