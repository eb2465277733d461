"""Threads that are at work, and wait for each other: no moment between them is lost to the clock."""

import threading
import time

import pytest
from local_aws import workers
from local_aws.clock import Clock


@pytest.fixture
def clock(monkeypatch):
    """It stands still while anything is at work, so that what is measured is exact."""
    made = Clock(speed=1000, busy_speed=1e-9, start=0)
    monkeypatch.setattr(workers, "clock", made)
    return made


def test_a_sleep_of_a_worker_is_exact(clock):
    with clock.busy():
        begin = clock.now()
        clock.sleep(60)
        assert clock.now() - begin == pytest.approx(60, abs=0.001)


def test_the_clock_never_passes_an_alarm_that_has_not_rung(clock):
    rung_at = []
    with clock.busy():
        due = clock.now() + 5
        clock.call_in(5, lambda: rung_at.append(clock.now()))
    while not rung_at:
        now = clock.now()
        assert now <= due + 0.001 or rung_at
    assert rung_at[0] == pytest.approx(due, abs=0.001)


def test_waiting_of_a_thread_that_did_not_work_changes_nothing(clock):
    with clock.waiting():
        assert clock.state()["busy"] == 0


def test_who_is_woken_is_at_work_from_that_moment(clock):
    event, woken_at = workers.Event(), []

    def wait():
        event.wait(1000)
        time.sleep(0.01)  # the machine is slow; AWS does not see it
        woken_at.append(clock.now())

    with clock.busy():
        worker = workers.Worker(target=wait)
        worker.start()
        begin = clock.now()
        while not event.sleepers:
            pass
        event.set()
    worker.join()
    assert woken_at[0] - begin < 0.001


def test_a_worker_is_at_work_before_its_thread_runs(clock):
    go = threading.Event()
    worker = workers.Worker(target=go.wait)
    worker.start()
    assert clock.state()["busy"] == 1
    go.set()
    worker.join()


def test_nobody_is_at_work_after_the_end(clock):
    worker = workers.Worker(target=lambda: 1 / 0)
    threading.excepthook, before = lambda *_: None, threading.excepthook
    try:
        worker.start()
        threading.Thread.join(worker)
    finally:
        threading.excepthook = before
    assert clock.state()["busy"] == 0


def test_a_time_out_is_in_aws_seconds(clock):
    event, begin = workers.Event(), clock.now()
    assert event.wait(60) is False
    assert clock.now() - begin >= 60
    event.set()
    assert event.wait(60) is True


def test_a_latch_stays_set(clock):
    latch = workers.Latch()
    latch.set()
    latch.clear()
    assert latch.wait(60) is True


def test_on_behalf_of_another_both_sleep(clock):
    """Who waits for an answer is not at work while the one who answers sleeps."""
    with clock.busy():  # the one who waits
        helper = threading.Thread(target=_sleep_on_behalf, args=(clock,))
        begin = clock.now()
        helper.start()
        helper.join(10)
        assert not helper.is_alive()
        assert clock.now() - begin == pytest.approx(30, abs=0.001)


def _sleep_on_behalf(clock):
    with clock.busy(), clock.on_behalf():
        clock.sleep(30)
