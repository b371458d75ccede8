"""Tones: the same sounds everywhere, partials where they belong, and pictures that depend on their own sound only."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import signal

from tlcourse import data
from tlcourse.datasets import tones
from tlcourse.datasets.tones import RATE, SAMPLES, TONES, Sounds


@pytest.fixture(scope="module")
def few():
    return tones.make_tones(per_class=6, seed=2)


def sounds_of(*waves):
    waves = np.stack(waves).astype(np.float32)
    return Sounds(waves, np.zeros(len(waves), int), ["any"], pd.DataFrame(index=range(len(waves))))


def sine(frequency, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency / RATE * np.arange(SAMPLES))


def test_a_sound_depends_on_seed_instrument_and_number_only(few):
    more = tones.make_tones(per_class=8, seed=2)
    kept = np.arange(len(more)) % 8 < 6
    assert np.array_equal(few.waves, more.waves[kept])
    assert few.metadata.equals(more.metadata[kept].reset_index(drop=True))
    other = tones.make_tones(per_class=6, seed=3)
    assert not (few.waves == other.waves).all(axis=1).any()


def test_a_fresh_process_makes_the_same_sounds_without_tensorflow(few):
    script = """if True:
        import sys
        from tlcourse.datasets import tones
        made = tones.make_tones(per_class=1, seed=2)
        print(float(made.waves.sum(dtype="float64")), "tensorflow" in sys.modules)"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    total, imported = ran.stdout.split()
    assert float(total) == float(few.waves[::6].sum(dtype="float64")) and imported == "False"


def test_waves_fit_a_sound_file(few):
    assert few.waves.dtype == np.float32 and few.waves.shape == (6 * len(TONES), SAMPLES)
    assert np.isfinite(few.waves).all() and np.abs(few.waves).max() <= 10 ** (-1 / 20) + 1e-6
    assert (np.abs(few.waves).max(axis=1) > 0.09).all()


def spectrum(wave):
    frequencies, power = signal.periodogram(wave.astype(float), RATE, window="hann")
    return frequencies, power


def partial(frequencies, power, frequency):
    near = np.abs(frequencies - frequency) < 8
    return power[near].sum()


@pytest.mark.parametrize(("kind", "loud", "soft"), [("clarinet", 3, 2), ("flute", 1, 4), ("organ", 1.5, 1.75)])
def test_an_instrument_has_its_partials(kind, loud, soft):
    many = tones.make_tones(per_class=12)
    ratios = []
    for row in np.flatnonzero(many.labels == TONES.index(kind)):
        pitch, noise_below = many.metadata.loc[row, ["pitch", "noise_below"]]
        if noise_below > 8 and pitch * 4 < RATE / 2.5:
            found = spectrum(many.waves[row])
            ratios.append(partial(*found, loud * pitch) / partial(*found, soft * pitch))
    assert len(ratios) > 3 and np.median(ratios) > 4


def test_what_is_struck_fades_and_what_is_blown_does_not():
    many = tones.make_tones(per_class=20)
    quiet = many.metadata["noise_below"].to_numpy() > 10

    def fades(kind):
        waves = many.waves[quiet & (many.labels == TONES.index(kind))]
        loudness = np.sqrt((waves.reshape(len(waves), 20, -1) ** 2).mean(axis=2))
        return np.median(loudness[:, 9] / loudness.max(axis=1))

    assert fades("marimba") < 0.4 < 0.8 < fades("clarinet")


def test_no_partial_comes_back_from_above_half_the_rate():
    # an unfolded bowed string has forty partials; at the highest pitches most of them would alias between the others
    many = tones.make_tones(per_class=30)
    rows = np.flatnonzero((many.labels == TONES.index("clarinet")) & (many.metadata["noise_below"] > 15))
    for row in rows:
        pitch = many.metadata["pitch"][row]
        frequencies, power = spectrum(many.waves[row])
        off = np.abs(frequencies / pitch - np.round(frequencies / pitch)) * pitch > 30
        assert power[off & (frequencies > pitch)].sum() < 0.1 * power.sum()


def test_a_rising_tone_is_where_its_frequency_is():
    "The brightest row of each column against the mel scale, by hand"
    moments = np.arange(SAMPLES) / RATE
    picture = tones.spectrograms(sounds_of(0.5 * signal.chirp(moments, 200, 1, 4000))).images[0, ::-1, :, 0]
    frequencies = 200 + 3800 * moments[:: SAMPLES // 64]  # in the middle of each frame

    def mel(frequency):
        return 2595 * np.log10(1 + frequency / 700)

    # 64 triangles stand between 66 edges at equal distances
    expected = (mel(frequencies) - mel(60)) / (mel(RATE / 2) - mel(60)) * 65 - 1
    assert np.abs(picture.argmax(axis=0) - expected)[2:-2].max() <= 1


def test_a_picture_does_not_depend_on_its_neighbours(few):
    quiet = few.waves[0] / 30
    alone = tones.spectrograms(sounds_of(quiet)).images[0]
    together = tones.spectrograms(sounds_of(quiet, sine(1000, 1.0))).images[0]
    assert np.array_equal(alone, together)


def test_ten_decibels_are_the_same_number_of_grey_levels_everywhere():
    levels = (0.8, 0.8 / 10**0.5)
    pictures = [tones.spectrograms(sounds_of(sine(700, level))).images[0, :, 20:40, 0] for level in levels]
    loud, soft = (picture.astype(int) for picture in pictures)
    lit = soft > 20
    assert lit.sum() > 40
    assert np.abs((loud - soft)[lit] - 255 * 10 / tones.RANGE).max() <= 1


def test_silence_is_black_and_finite():
    assert (tones.spectrograms(sounds_of(np.zeros(SAMPLES))).images == 0).all()


def test_other_lengths_give_the_same_size():
    for samples in (4000, 24_000):
        assert tones.spectrograms(sounds_of(sine(500)[:1].repeat(samples))).images.shape == (1, 64, 64, 3)


def test_the_data_set_is_the_spectrograms_of_the_sounds():
    made = data.load("tones", per_class=2, seed=5)
    sounds = tones.make_tones(per_class=2, seed=5)
    assert np.array_equal(made.images, tones.spectrograms(sounds).images)
    assert made.name == "tones" and made.class_names == list(TONES) and made.labels.tolist() == sounds.labels.tolist()
    assert made.metadata.equals(sounds.metadata)
    facts = data.available().loc["tones"]
    assert (facts.classes, facts.images, facts.on_this_machine) == (8, 480, True)
    with pytest.raises(TypeError, match="per_class, seed; 'rate' came"):
        data.load("tones", rate=8000)


def test_a_part_keeps_sounds_labels_and_metadata_in_step(few):
    part = few.subset([30, 2, 2])
    assert len(part) == 3 and np.array_equal(part.waves, few.waves[[30, 2, 2]])
    assert part.labels.tolist() == few.labels[[30, 2, 2]].tolist()
    assert part.metadata["pitch"].tolist() == few.metadata["pitch"].iloc[[30, 2, 2]].tolist()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: tones.make_tones(per_class=0), "per_class to be a whole number from 1 to 10000; 0 came"),
        (lambda: tones.make_tones(seed=-1), "seed to be a whole number from 0"),
        (lambda: tones.make_tones(per_class=2.5), "2.5 came"),
        (lambda: Sounds(np.zeros(9), [0], ["a"], pd.DataFrame()), r"waves of shape \(n, samples\)"),
        (lambda: tones.spectrograms(sounds_of(np.zeros(10))), "at least 64 samples; 10 came"),
    ],
)  # fmt: skip
def test_an_error_says_what_was_expected(call, expected):
    with pytest.raises(ValueError, match=expected):
        call()
