"""The clock. Time passes by hand where it is read, and very fast where alarms ring."""

import threading
import types

import pytest
from local_aws import clock as module
from local_aws.clock import Clock

#: What waits for an alarm that does not ring gives up then.
PATIENCE = 120


@pytest.fixture
def machine_time(monkeypatch):
    """The machine's own seconds, set by hand."""
    hand = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(
        module, "time", types.SimpleNamespace(monotonic=lambda: hand.seconds, time=lambda: hand.seconds)
    )
    return hand


@pytest.fixture
def by_hand(machine_time):
    return Clock(speed=60, busy_speed=1, start=1000)


def test_idle_is_fast(by_hand, machine_time):
    machine_time.seconds += 2
    assert by_hand.now() == 1000 + 120


def test_busy_is_slow(by_hand, machine_time):
    with by_hand.busy():
        machine_time.seconds += 2
        assert by_hand.now() == 1000 + 2
    assert by_hand.now() == 1000 + 2
    machine_time.seconds += 1
    assert by_hand.now() == 1000 + 2 + 60


def test_busy_as_long_as_anyone_is(by_hand, machine_time):
    with by_hand.busy():
        with by_hand.busy():
            machine_time.seconds += 1
        machine_time.seconds += 1
        assert by_hand.now() == 1000 + 2


def test_busy_ends_with_an_error(by_hand, machine_time):
    with pytest.raises(KeyError), by_hand.busy():
        raise KeyError
    assert by_hand.state()["busy"] == 0


def test_waiting_inside_busy_is_fast(by_hand, machine_time):
    with by_hand.busy():
        machine_time.seconds += 1
        with by_hand.waiting():
            machine_time.seconds += 1
        machine_time.seconds += 1
        assert by_hand.now() == 1000 + 1 + 60 + 1


def test_one_waits_and_another_is_busy(by_hand, machine_time):
    with by_hand.busy(), by_hand.busy():
        with by_hand.waiting():
            machine_time.seconds += 1
        assert by_hand.now() == 1000 + 1


def test_the_speed_is_another_from_now_on(by_hand, machine_time):
    machine_time.seconds += 1
    by_hand.set_speed(10)
    assert by_hand.now() == 1000 + 60
    machine_time.seconds += 1
    assert by_hand.now() == 1000 + 60 + 10
    with pytest.raises(ValueError, match="0.0 times"):
        by_hand.set_speed(0)


def test_state(by_hand, machine_time):
    idle = {"now": 1000, "busy": 0, "workers": 0, "speed": 60, "skips_waits": False, "alarms": 0}
    assert by_hand.state() == idle
    with by_hand.busy():
        by_hand.call_in(5, print)
        assert by_hand.state() == idle | {"busy": 1, "speed": 1, "alarms": 1}


def test_starts_at_the_machine_time(machine_time):
    machine_time.seconds = 77
    assert Clock().now() == 77


# -- alarms ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def fast():
    """It nearly stands still while it is busy, and is very fast when it is not."""
    return Clock(speed=5000, busy_speed=1e-6)


def test_alarms_ring_in_order(fast):
    rung, done = [], threading.Event()
    with fast.busy():
        for delay in (300, 100, 200, 100):
            fast.call_in(delay, lambda delay=delay, number=len(rung): rung.append((delay, number)))
        fast.call_in(400, done.set)
        assert rung == []
    assert done.wait(PATIENCE)
    assert [delay for delay, _ in rung] == [100, 100, 200, 300]


def test_an_earlier_alarm_rings_before_the_one_that_is_waited_for(fast):
    """The ringer already waits for the late one when the early one comes."""
    early, late = threading.Event(), fast.call_in(1e9, print)
    fast.call_in(10, early.set)
    assert early.wait(PATIENCE)
    late.cancel()


def test_an_alarm_rings_in_time(fast):
    begin, told = fast.now(), []
    rung = threading.Event()
    fast.call_in(250, lambda: (told.append(fast.now()), rung.set()))
    assert rung.wait(PATIENCE)
    assert told[0] >= begin + 250


def test_an_alarm_rings_sooner_when_time_is_sped_up(fast):
    fast.set_speed(0.001)
    rung = threading.Event()
    fast.call_in(50, rung.set)
    assert not rung.wait(0.1), "the ringer waits for it"
    fast.set_speed(1_000_000)
    assert rung.wait(PATIENCE)


def test_a_cancelled_alarm_does_not_ring(fast):
    rung, done = [], threading.Event()
    with fast.busy():
        alarm = fast.call_in(100, lambda: rung.append("cancelled"))
        fast.call_in(200, lambda: rung.append("other"))
        fast.call_in(300, done.set)
        alarm.cancel()
    assert done.wait(PATIENCE)
    assert rung == ["other"]


def test_an_alarm_that_fails_stops_no_other(fast):
    done = threading.Event()
    with fast.busy():
        fast.call_in(100, lambda: 1 / 0)
        fast.call_in(200, done.set)
    assert done.wait(2)


def test_wait_for_an_event_that_comes(fast):
    event, begin = threading.Event(), fast.now()
    fast.call_in(100, event.set)
    assert fast.wait_for(event, 1e9) is True
    assert begin + 100 <= fast.now() < begin + 1e9


def test_wait_for_an_event_that_does_not_come(fast):
    event, begin = threading.Event(), fast.now()
    assert fast.wait_for(event, 100) is False
    assert fast.now() >= begin + 100


def test_sleep_is_in_aws_seconds(fast):
    begin = fast.now()
    fast.sleep(500)
    assert fast.now() >= begin + 500


def test_no_sleep_of_nothing(by_hand):
    """Nothing would ever end it: the machine's time stands still."""
    by_hand.sleep(0)
    by_hand.sleep(-1)


def test_waits_are_skipped_while_a_worker_waits():
    skipping = Clock(speed=0.001, busy_speed=0.001, start=0, skips_waits=True)
    woken = []

    def work():
        with skipping.hired():
            skipping.sleep(3600)
            woken.append(skipping.now())

    skipping.hire()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE)
    assert woken == [pytest.approx(3600, abs=1)]


def test_nothing_is_skipped_while_no_worker_is_in_progress():
    skipping = Clock(speed=0.001, busy_speed=0.001, start=0, skips_waits=True)
    rung = threading.Event()
    skipping.call_in(3600, rung.set)
    with skipping.busy():
        pass
    assert not rung.wait(0.2)
    assert skipping.now() < 1


def test_nothing_is_skipped_while_anyone_is_at_work():
    skipping = Clock(speed=0.001, busy_speed=0.001, start=0, skips_waits=True)
    rung = threading.Event()
    skipping.hire()
    skipping.call_in(3600, rung.set)
    assert not rung.wait(0.2)
    skipping.dismiss()
    assert not rung.wait(0.2)


def test_no_time_passes_while_the_clock_is_stopped(by_hand, machine_time):
    by_hand.stop()
    threads = threading.active_count()
    by_hand.call_in(10, lambda: None)
    machine_time.seconds += 5
    assert (by_hand.now(), threading.active_count()) == (1000, threads)


def test_a_clock_that_goes_on_rings_what_was_set_before():
    stopped = Clock(speed=1_000_000, start=0)
    stopped.stop()
    rung = threading.Event()
    stopped.call_in(10, rung.set)
    assert not rung.wait(0.05)
    stopped.go_on()
    assert rung.wait(PATIENCE)
