"""Limits of a run: processor time, in any thread, and one thread of linear algebra.

Time is counted on the processor, so that a busy machine does not decide which strategies finish;
by the clock a run may take `PATIENCE` times as long, which ends what waits for ever.
"""

import ctypes
import importlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries that are loaded later read."""

PATIENCE = 20
"""Seconds by the clock for each second of processor time that a run may take."""

THREADED = ("scipy.linalg", "sklearn.cluster")
"""Modules that bring thread pools of their own; pools loaded later would escape the limit."""


class RunTimeout(BaseException):
    """The run's time is up; no `Exception`, so that nobody's handler swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `RunTimeout` in this thread after `seconds` of processor time; 0 means no limit.

    The main thread is stopped by timer signals. Other threads, as Dask's workers have, are sent
    the exception, which meets them at the next line of Python.
    """
    if seconds <= 0:
        yield
    elif threading.current_thread() is threading.main_thread():
        with (
            _signal_limit(seconds, signal.ITIMER_PROF, signal.SIGPROF),
            _signal_limit(PATIENCE * seconds, signal.ITIMER_REAL, signal.SIGALRM),
        ):
            yield
    else:
        with _thread_limit(seconds):
            yield


@contextmanager
def _signal_limit(seconds: float, timer: int, number: int) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise RunTimeout

    before = signal.signal(number, stop)
    signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)


@contextmanager
def _thread_limit(seconds: float) -> Iterator[None]:
    me = threading.get_ident()
    thread, clock = ctypes.c_ulong(me), time.pthread_getcpuclockid(me)
    end, latest = time.clock_gettime(clock) + seconds, time.monotonic() + PATIENCE * seconds
    over, sent = threading.Event(), threading.Event()
    lock = threading.Lock()

    def watch() -> None:
        while not over.wait(max(end - time.clock_gettime(clock), 0.01)):
            with lock:
                late = time.clock_gettime(clock) >= end or time.monotonic() >= latest
                if late and not over.is_set():
                    sent.set()
                    _send(thread, RunTimeout)
                    return

    arrived = False
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except RunTimeout:
        arrived = True
        raise
    finally:
        with lock:
            over.set()
        if sent.is_set() and not arrived:
            _absorb()


def _absorb() -> None:
    """Let an exception that was sent arrive here.

    Calling it back with a null leaves the interpreter's flag of asynchronous exceptions set for
    good, which slows every thread down and was seen to hang them.
    """
    with suppress(RunTimeout):
        for _ in range(1000):
            time.sleep(0.001)


def _send(thread: ctypes.c_ulong, exception: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(exception))


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and OpenMP on one thread, so that no count of cores shows in numbers."""
    from threadpoolctl import threadpool_limits

    for name in THREADED:
        importlib.import_module(name)
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
