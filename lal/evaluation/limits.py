"""Limits of a cell: wall time, in any thread, and one thread of linear algebra."""

import ctypes
import importlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries that are loaded later read."""

THREADED = ("scipy.linalg", "sklearn.cluster")
"""Modules that bring thread pools of their own; pools loaded later would escape the limit."""


class CellTimeout(BaseException):
    """The cell's time is up; no `Exception`, so that nobody's handler swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `CellTimeout` in this thread after `seconds`; 0 is no limit.

    The main thread is stopped by a timer signal. Other threads, as Dask's workers have, are sent
    the exception, which meets them at the next line of Python.
    """
    if seconds <= 0:
        yield
    elif threading.current_thread() is threading.main_thread():
        with _signal_limit(seconds):
            yield
    else:
        with _thread_limit(seconds):
            yield


@contextmanager
def _signal_limit(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise CellTimeout

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _thread_limit(seconds: float) -> Iterator[None]:
    thread = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    over = False

    def stop() -> None:
        with lock:
            if not over:
                _send(thread, CellTimeout)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()
        _send(thread, None)  # an exception that has not arrived yet is called back


def _send(thread: ctypes.c_ulong, exception: type[BaseException] | None) -> None:
    what = ctypes.py_object() if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, what)


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
