"""How many epochs of a training cost as much as another one."""


def epochs_for(seconds, spent, fewest=1, most=100, within=0.2, tries=3):
    """The number of epochs, from `fewest` to `most`, that costs nearest to so many CPU seconds; `spent` measures one

    Two short runs give a first guess; runs of the guessed length correct it until one is within this share.
    """
    known = {epochs: spent(epochs) for epochs in (fewest + 1, fewest + 4)}
    for _ in range(tries):
        (short, once), *_, (long, more) = sorted(known.items())
        each = max((more - once) / (long - short), 0.02)
        epochs = min(most, max(fewest, round(short + (seconds - once) / each)))
        if epochs in known:
            break
        known[epochs] = spent(epochs)
        if abs(known[epochs] / seconds - 1) < within:
            break
    return min(known, key=lambda epochs: abs(known[epochs] - seconds))
