"""Values wait for whoever needs them, and nobody waits for what will never come."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.core.compose.exchange import Exchange, Stopped

VALUE = np.ones((1, 1), np.float32)


def test_a_taker_waits_until_the_value_is_there() -> None:
    exchange, waiting = Exchange({"a": 1}), threading.Event()

    def take() -> float:
        waiting.set()
        return float(exchange.take("a")[0, 0])

    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(take)
        waiting.wait(5)
        exchange.put("a", VALUE)
        assert taken.result(5) == 1


def test_a_value_is_let_go_once_everybody_has_it() -> None:
    exchange = Exchange({"a": 2})
    exchange.put("a", VALUE)
    exchange.take("a")
    exchange.take("a")
    exchange.stop()
    with pytest.raises(Stopped):
        exchange.take("a")


def test_a_value_nobody_takes_is_not_held() -> None:
    exchange = Exchange({})
    exchange.put("a", VALUE)
    exchange.stop()
    with pytest.raises(Stopped):
        exchange.take("a")


def test_stopping_wakes_those_who_wait() -> None:
    exchange = Exchange({"a": 1})
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(exchange.take, "a")
        exchange.stop()
        assert isinstance(taken.exception(5), Stopped)
