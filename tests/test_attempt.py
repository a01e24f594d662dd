"""A learner's answer is called without harm: whatever it raises, prints, or never ends."""

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from bnlib.learn.attempt import attempt


def forever():
    while True:
        pass


def stubborn():
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            if time.monotonic() > stubborn.until:
                raise


def goes_on():
    """Whether an answer that catches everything may go on: it gives up in the end, so that the test can fail."""
    return time.monotonic() < stubborn.until + 20


def sleeps_and_catches():
    while goes_on():
        try:
            time.sleep(0.2)
        except BaseException:
            pass


def sleeps_and_remembers():
    while goes_on():
        try:
            time.sleep(0.2)
        except BaseException as error:
            last = error  # noqa: F841


def suppresses():
    while goes_on():
        with contextlib.suppress(BaseException):
            time.sleep(0.2)


def catches_in_another():
    def nap():
        try:
            time.sleep(0.2)
        except BaseException:
            return

    while goes_on():
        nap()


def catches_twice():
    while goes_on():
        try:
            sleeps_and_catches()
        except BaseException as error:
            print(error)


def sleeps_at_last():
    while goes_on():
        try:
            try:
                time.sleep(0.2)
            finally:
                time.sleep(0.1)
        except BaseException:
            continue


def counts_and_catches():
    number = 0
    while number >= 0:
        try:
            number += 1
        except BaseException:
            number = number if goes_on() else -1


ENDLESS = [
    forever,
    stubborn,
    sleeps_and_catches,
    sleeps_and_remembers,
    suppresses,
    catches_in_another,
    catches_twice,
    sleeps_at_last,
    counts_and_catches,
]


def in_a_thread(call):
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join(30)
    return found[0]


def deep(n=0):
    return deep(n + 1)


@pytest.fixture(params=["main thread", "another thread"])
def run(request):
    return (lambda call: call()) if request.param == "main thread" else in_a_thread


def test_a_value_comes_back(run):
    found = run(lambda: attempt(lambda: [1, 2]))
    assert found.returned and found.value == [1, 2]


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), AssertionError(), StopIteration()], ids=repr)
def test_what_it_raises_is_a_value(run, error):
    def fails():
        raise error

    found = run(lambda: attempt(fails))
    assert found.error is error and not found.returned and not found.late


def test_too_deep_a_recursion_is_an_error(run):
    assert isinstance(run(lambda: attempt(deep)).error, RecursionError)


@pytest.mark.parametrize("answer", ENDLESS, ids=lambda f: f.__name__)
def test_what_never_ends_is_ended(run, answer):
    begin = time.monotonic()
    stubborn.until = begin + 1
    found = run(lambda: attempt(answer, seconds=0.3))
    assert found.late and not found.returned and time.monotonic() - begin < 5


def test_of_two_attempts_the_outer_one_has_its_own_limit(run):
    def outer():
        return [attempt(forever, seconds=0.2), attempt(lambda: time.sleep(0.05), seconds=5), forever()]

    again = signal.getitimer(signal.ITIMER_REAL)[1]
    assert run(lambda: attempt(outer, seconds=1)).late
    assert signal.getitimer(signal.ITIMER_REAL)[1] == again


def test_sleep_is_ended_in_the_main_thread():
    begin = time.monotonic()
    assert attempt(lambda: time.sleep(60), seconds=0.3).late and time.monotonic() - begin < 5


def test_the_limit_is_over_with_the_call(run):
    before, traced = signal.getsignal(signal.SIGALRM), sys.gettrace()
    for _ in range(20):
        run(lambda: attempt(lambda: time.sleep(0.019), seconds=0.02))  # just about then
    time.sleep(0.2)
    assert signal.getitimer(signal.ITIMER_REAL)[1] == 0.0  # nothing comes again and again
    assert signal.getsignal(signal.SIGALRM) is before
    assert sys.gettrace() is traced
    assert [t for t in threading.enumerate() if t.name.startswith("Thread")] == []


def test_ctrl_c_is_the_readers_own():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        attempt(lambda: os.kill(os.getpid(), signal.SIGINT) or time.sleep(5))
    assert signal.getsignal(signal.SIGINT) is before


def test_an_answer_cant_pretend_a_ctrl_c(run):
    def interrupted():
        raise KeyboardInterrupt

    assert isinstance(run(lambda: attempt(interrupted)).error, KeyboardInterrupt)


def test_what_it_prints_is_dropped(capsys):
    attempt(lambda: print("a") or print("b", file=sys.stderr))
    assert capsys.readouterr() == ("", "")
