"""Whatever is clicked and whatever breaks: a legal state, no thread left behind, no exception lost."""

import queue
import random
import threading
import time

import pytest

from tlcourse.labs import lab_controller
from tlcourse.labs.lab_controller import Controller, Latest, Stopped

SEQUENCES, LONGEST = 2000, 30
ACTIVE = {"preparing", "running", "paused", "stopping"}
# What may follow what, written down from the description and not from the code
FOLLOWS = {
    "idle": {"idle", "preparing"},
    "preparing": {"running", "stopping", "done", "failed"},
    "running": {"paused", "stopping", "done", "failed"},
    "paused": {"running", "stopping", "done", "failed"},
    "stopping": {"stopping", "idle", "done", "failed"},
    "done": {"preparing", "idle"},
    "failed": {"preparing", "idle"},
}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    left = [thread for thread in threading.enumerate() if thread.name.startswith("tlcourse")]
    assert not left


class Puppet:
    "A job that does what it is told, one thing at a time, and says when it has done it"

    def __init__(self, catches):
        self.catches, self.orders, self.done = catches, queue.SimpleQueue(), queue.SimpleQueue()

    def __call__(self, work):
        try:
            while True:
                order, value = self.orders.get(timeout=20)
                if order == "return":
                    return value
                if order == "raise":
                    raise value
                getattr(work, order)(**value)
                self.done.put(order)
        except Stopped:
            if self.catches:
                return "what there was"
            raise


class Model:
    "What the controller should do, as a description of one job after the other"

    def __init__(self):
        self.state, self.closed, self.result, self.error = "idle", False, None, None
        self.alive = self.waits = self.discard = False

    def send(self, event):
        "What a person does: whether it was legal"
        if self.closed:
            return False
        if event == "start" and self.state in ("idle", "done", "failed"):
            self.state, self.alive, self.waits, self.discard = "preparing", True, False, False
            self.result = self.error = None
        elif event == "pause" and self.state == "running":
            self.state = "paused"
        elif event == "resume" and self.state == "paused":
            self.state, self.waits = "running", False
        elif event == "stop" and self.state in ("preparing", "running", "paused"):
            self.state = "stopping"
        elif event == "reset" and self.state in ACTIVE:
            self.state, self.discard = "stopping", True
        elif event == "reset":
            self.state = "idle"
            self.result = self.error = None
        else:
            return False
        return True

    def looks(self, catches):
        "The job calls `check`, or waits in it while something changes"
        if self.state == "paused":
            self.waits = True
        elif self.state == "stopping":
            self.returns("what there was" if catches else None)

    def returns(self, value):
        stopped = self.state == "stopping"
        self.alive = self.waits = False
        self.result = None if self.discard else value
        self.state = "idle" if stopped and self.result is None else "done"

    def raises(self, error):
        self.alive = False
        self.state, self.error = "failed", error


class NoThread(threading.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")


def play(seed, monkeypatch):
    "A random sequence, each step compared with the model; the states that were heard of"
    rng = random.Random(seed)
    controller, model, puppet = Controller(), Model(), None
    heard, injected, planned = [], [], []

    def listener(state, facts):
        heard.append(state)
        if planned:
            injected.append(planned.pop())
            raise injected[-1]

    controller.listen(lambda state, facts: None)
    controller.listen(listener)

    def compare():
        assert (controller.state, controller.closed) == (model.state, model.closed)
        assert controller.error is model.error and controller.result == model.result
        assert controller.active == (model.state in ACTIVE)
        if not model.alive:
            assert controller.wait(20)

    def settle():
        "Wait until the job has done what it was told, waits in a pause, or has ended"
        if not model.alive:
            assert controller.wait(20)
        elif not model.waits:
            puppet.done.get(timeout=20)

    def tell(order):
        if order in ("ready", "check", "report"):
            puppet.orders.put((order, {"number": 1} if order == "report" else {}))
            if order == "ready" and model.state == "preparing":
                model.state = "running"
            if order != "report":
                model.looks(puppet.catches)
        elif order.startswith("return"):
            value = None if order == "return nothing" else rng.random()
            puppet.orders.put(("return", value))
            model.returns(value)
        else:
            kinds = {"raise": ValueError, "raise uninvited": Stopped, "raise to exit": SystemExit}
            error = kinds[order]("planted")
            puppet.orders.put(("raise", error))
            if order == "raise uninvited" and (puppet.catches or model.state == "stopping"):
                model.returns("what there was" if puppet.catches else None)
            else:
                injected.append(error)
                model.raises(error)
        settle()

    people = ["start", "start", "start", "pause", "resume", "stop", "reset", "close"]
    jobs = ["ready", "ready", "check", "check", "report", "return", "return nothing", "raise", "raise uninvited"]
    jobs.append("raise to exit")
    for _ in range(rng.randint(1, LONGEST)):
        event = rng.choice(people + 2 * jobs + ["a listener fails", "no thread"])
        if event == "a listener fails":
            planned.append(KeyError("planted"))
        elif event in ("start", "no thread"):
            puppet_of_this = Puppet(catches=rng.random() < 0.5)
            with monkeypatch.context() as patch:
                if event == "no thread":
                    patch.setattr(lab_controller.threading, "Thread", NoThread)
                was = controller.start(puppet_of_this)
            assert was == model.send("start")
            if was and event == "no thread":
                model.raises(controller.error)
                assert isinstance(controller.error, RuntimeError)
            elif was:
                puppet = puppet_of_this
        elif event == "close" and rng.random() < 0.2:
            model.send("reset")
            model.closed = True
            waited = model.waits
            if waited:
                model.waits = False
                model.looks(puppet.catches)
            assert controller.close(timeout=20 if waited else 0) == (not model.alive)
        elif event in people and event != "close":
            waited = model.waits
            assert getattr(controller, event)() == model.send(event)
            if waited and model.state != "paused":  # the job goes on from where it waited
                model.waits = False
                model.looks(puppet.catches)
                settle()
        elif event in jobs and model.alive and not model.waits:
            tell(event)
        compare()
    model.send("reset")
    controller.close(timeout=0)
    model.closed = True
    if model.waits:
        model.waits = False
        model.looks(puppet.catches)
        settle()
    elif model.alive:
        tell("check")
    compare()
    assert controller.wait(20) and controller.state in ("idle", "done", "failed") and not controller.legal
    assert not controller.start(lambda work: None)
    assert all(any(error is kept for kept in controller.errors) for error in injected)
    assert not heard or heard[-1] == controller.state
    return heard


def changes(heard):
    "A report gives the state again"
    return [state for state, before in zip(heard, ["idle", *heard], strict=False) if state != before]


def test_random_sequences_are_what_the_model_says(monkeypatch):
    seen = set()
    for seed in range(SEQUENCES):
        states = ["idle", *changes(play(seed, monkeypatch))]
        for before, after in zip(states, states[1:], strict=False):
            assert after in FOLLOWS[before], (seed, states)
            seen.add((before, after))
    # The sequences reach every change there is
    assert seen == {(before, after) for before, many in FOLLOWS.items() for after in many if before != after}


def test_jobs_that_run_free_end_too():
    for seed in range(200):
        rng = random.Random(seed)
        controller, heard, planted, raised = Controller(), [], ValueError(seed), []
        controller.listen(lambda state, facts, heard=heard: heard.append(state))
        fails = rng.random() < 0.3

        def job(work, rng=rng, planted=planted, fails=fails, raised=raised):
            work.ready()
            for number in range(rng.randint(1, 20)):
                time.sleep(rng.random() * 2e-4)
                work.report(number=number)
                work.check()
            if fails:
                raised.append(planted)
                raise planted
            return number

        for _ in range(rng.randint(1, LONGEST)):
            event = rng.choice(["start", "start", "pause", "resume", "resume", "stop", "reset"])
            getattr(controller, event)(*([job] if event == "start" else []))
            time.sleep(rng.random() * 2e-4)
        if controller.state == "paused":
            controller.resume()
        assert controller.close(timeout=20) and not controller.active
        assert heard[-1:] == [controller.state] or not heard
        assert len([error for error in controller.errors if error is planted]) == len(raised)
        assert not [error for error in controller.errors if error is not planted]


def test_a_pause_does_not_count_as_time():
    clock = []

    def job(work):
        work.ready()
        controller.pause()
        threading.Timer(0.3, controller.resume).start()
        work.check()
        clock.extend([work.seconds, time.monotonic()])

    controller = Controller()
    begun = time.monotonic()
    controller.start(job)
    assert controller.wait(20) and controller.state == "done"
    seconds, ended = clock
    # however slow the machine is: all the time since before the start, but for the pause, which took its 0.3 s
    assert 0 < seconds <= ended - begun - 0.29


def test_a_listener_may_send_events_and_hears_the_rest_in_order():
    controller, heard = Controller(), []

    def listener(state, facts):
        heard.append(state)
        if state == "running":
            controller.stop()

    controller.listen(listener)

    def job(work):
        work.ready()
        while True:
            work.check()

    controller.start(job)
    assert controller.wait(20)
    assert heard == ["preparing", "running", "stopping", "idle"]


def test_who_listens_no_longer_hears_nothing():
    controller, heard = Controller(), []
    controller.listen(lambda state, facts: heard.append(state))()
    controller.start(lambda work: 1)
    assert controller.wait(20) and not heard and controller.result == 1


def test_a_start_from_a_listener_waits_for_the_first_job():
    controller, most = Controller(), []

    def job(work):
        most.append(sum(thread.name == "tlcourse lab" for thread in threading.enumerate()))

    def again(state, facts):
        if state == "done" and len(most) < 3:
            controller.start(job)
            time.sleep(0.05)

    controller.listen(again)
    controller.start(job)
    deadline = time.monotonic() + 20
    while len(most) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert controller.wait(20) and most == [1, 1, 1]


def test_only_the_newest_value_is_answered_and_failures_are_kept():
    begun, gate, answered, failed = threading.Event(), threading.Event(), [], []

    def answer(value):
        begun.set()
        gate.wait(20)
        answered.append(value)
        if value == 9:
            raise ValueError(value)

    latest = Latest(answer, failed.append)
    latest.ask(0)
    assert begun.wait(20)
    for value in range(1, 10):
        latest.ask(value)
    gate.set()
    assert latest.wait(20)
    assert answered == [0, 9] and failed == latest.errors and len(failed) == 1
    latest.ask(10)
    assert latest.wait(20) and answered[-1] == 10
