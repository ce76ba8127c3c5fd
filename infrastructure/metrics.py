"""What is counted and measured, for Prometheus: every metric, by its one name, and how they leave the process.

All processes of a home publish into one directory of it, each into files of its own, so that any of them can answer for
all: several API processes behind one socket then give one truth, and the worker needs no port.
"""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from application.ports import Appended, Transaction
from domain.events import Event, OrderFilled, OrderSent
from infrastructure.build import VERSION
from infrastructure.clock import SystemClock

DIRECTORY = "metrics"
SILENT_SECONDS_MAX = 30.0
"""A process that has not shown any sign of life for this long is gone, and so is what it said of itself."""

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The metrics of one process.

    Args:
        process: ``api`` or ``worker``.
        directory: where all processes of the home publish, from ``published``; None: only this process can be asked.
    """

    def __init__(self, process: str = "engine", directory: Path | None = None) -> None:
        self.process = process
        self.directory = directory
        self.registry = registry = CollectorRegistry()
        self._alive = None if directory is None else directory / f"alive_{_identifier()}"
        self.requests = Histogram(
            "orderlog_http_request_seconds",
            "How long requests took until their answer began",
            ["method", "route", "status"],
            buckets=_FAST,
            registry=registry,
        )
        self.refusals = Counter(
            "orderlog_refusals", "Requests and sockets that were refused or failed", ["code"], registry=registry
        )
        self.errors = Counter("orderlog_errors", "Errors that nobody expected", ["process"], registry=registry)
        self.heart = Counter("orderlog_heart_events", "What the page tells of its use", ["category"], registry=registry)
        self.streams = Gauge(
            "orderlog_stream_clients", "Open streams", ["kind"], registry=registry, multiprocess_mode="livesum"
        )
        self.gaps = Counter(
            "orderlog_stream_gaps",
            "Streams that were cut off, or began with what was missed",
            ["reason"],
            registry=registry,
        )
        self.append_seconds = Histogram(
            "orderlog_append_seconds", "How long a batch took to become durable", buckets=_FAST, registry=registry
        )
        self.append_commands = Histogram(
            "orderlog_append_batch_commands", "Commands in a batch", buckets=_SIZES, registry=registry
        )
        self.conflicts = Counter(
            "orderlog_append_conflicts", "Commands that met another writer and were decided again", registry=registry
        )
        self.events = Counter("orderlog_events", "Events recorded", ["type"], registry=registry)
        self.fills = Counter("orderlog_fills", "Fills booked", registry=registry)
        self.retries = Counter(
            "orderlog_venue_retries", "Attempts to hand an order to the venue after the first", registry=registry
        )
        self.venue = Histogram(
            "orderlog_venue_request_seconds",
            "How long the venue took",
            ["operation", "outcome"],
            buckets=_FAST,
            registry=registry,
        )
        self.leads = Gauge("orderlog_worker_leads", "Workers that lead", registry=registry, multiprocess_mode="livesum")
        self.loop_lag = Histogram(
            "orderlog_event_loop_lag_seconds",
            "How late the event loop was",
            ["process"],
            buckets=_FAST,
            registry=registry,
        )
        self.memory = self._of_process("resident_memory_bytes", "Memory in use")
        self.cpu = self._of_process("cpu_seconds", "CPU time used since it began")
        self.files = self._of_process("open_fds", "Open files and sockets")
        self.began = self._of_process("start_time_seconds", "When it began, in seconds since 1970")
        self.began.labels(process).set(_now())
        # What Prometheus has seen at 0, it sees rise.
        self.errors.labels(process)
        for kind in ("websocket", "sse"):
            self.streams.labels(kind)
        for reason in ("resumed", "too_slow"):
            self.gaps.labels(reason)
        self._requests: dict[tuple[str, str, int], Histogram] = {}
        self._types: dict[type[Event], Counter] = {}

    def _of_process(self, name: str, what: str) -> Gauge:
        return Gauge(
            f"orderlog_process_{name}",
            f"{what}, of each process",
            ["process"],
            registry=self.registry,
            multiprocess_mode="liveall",
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered, or begins to be."""
        key = method, route, status
        found = self._requests.get(key)
        if found is None:
            found = self._requests[key] = self.requests.labels(*key)
        found.observe(seconds)

    @contextmanager
    def streaming(self, kind: str) -> Iterator[None]:
        """A stream of this kind is open for the length of the block."""
        gauge = self.streams.labels(kind)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def appended(self, transactions: Iterable[Transaction], appended: Appended, seconds: float) -> None:
        """A batch is durable."""
        self.append_seconds.observe(seconds)
        self.append_commands.observe(len(appended.recorded))
        counts: dict[type[Event], int] = {}
        retries = 0
        for transaction, recorded in zip(transactions, appended.recorded, strict=True):
            if recorded is None:
                self.conflicts.inc()
                continue
            for new in transaction.events:
                kind = type(new.event)
                counts[kind] = counts.get(kind, 0) + 1
                if kind is OrderSent and new.event.attempt > 1:  # type: ignore[union-attr] # it is one
                    retries += 1
        for kind, count in counts.items():
            if kind not in self._types:
                self._types[kind] = self.events.labels(kind.__name__)
            self._types[kind].inc(count)
        if fills := counts.get(OrderFilled, 0):
            self.fills.inc(fills)
        if retries:
            self.retries.inc(retries)

    def failed(self, _: object) -> None:
        """An error was reported."""
        self.errors.labels(self.process).inc()

    def sampled(self, loop_lag_seconds: float, memory_bytes: int, cpu_seconds: float, open_files: int) -> None:
        """What the process is like right now."""
        self.loop_lag.labels(self.process).observe(loop_lag_seconds)
        self.memory.labels(self.process).set(memory_bytes)
        self.cpu.labels(self.process).set(cpu_seconds)
        self.files.labels(self.process).set(open_files)
        if self._alive is not None:
            self._alive.touch()

    def close(self) -> None:
        """The process goes: what it says of itself goes with it, and what it has counted stays."""
        if self.directory is not None:
            _forget(self.directory, _identifier())

    def exposed(self, *more: Collector) -> bytes:
        """Everything, in the text format of Prometheus: of all processes of the home, if they publish."""
        if self.directory is None:
            registry = self.registry
            for each in more:
                registry.register(each)
            try:
                return generate_latest(registry)
            finally:
                for each in more:
                    registry.unregister(each)
        registry = CollectorRegistry()
        _forget_the_dead(self.directory)
        MultiProcessCollector(registry, path=str(self.directory))  # type: ignore[no-untyped-call]
        for each in more:
            registry.register(each)
        return generate_latest(registry)


def published(home: Path, process: str) -> Metrics:
    """The metrics of this process, which any process of the home can answer for. To be called once, before any other.

    What others have left there is removed when none of them lives any more.
    """
    directory = home / DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    with _locked(directory):
        _forget_the_dead(directory)
        if not list(directory.glob("alive_*")):
            for file in directory.glob("*.db"):
                file.unlink()
        (directory / f"alive_{_identifier()}").touch()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = values.MultiProcessValue(_identifier)  # type: ignore[no-untyped-call]
    return Metrics(process, directory)


def build_of(home: Path) -> Iterator[tuple[str, str, dict[str, str], float]]:
    """What can be said of the program and its machine at any time: name, help, labels and value of each gauge."""
    yield "orderlog_build_info", "The program that answers", {"version": VERSION}, 1.0
    usage = shutil.disk_usage(home)
    yield "orderlog_disk_free_bytes", "Room on the disk of the home", {}, float(usage.free)
    yield "orderlog_disk_size_bytes", "Size of the disk of the home", {}, float(usage.total)


def _now() -> float:
    return SystemClock().now().timestamp()


@cache
def _identifier() -> str:
    """A name of this process that no other one with the same home has. Files are named after it, so it has no underscore.

    Asked for with every observation, and found out once: a process that forks has another name in its child.
    """
    return f"{_host()}.{os.getpid()}"


os.register_at_fork(after_in_child=_identifier.cache_clear)


@cache
def _host() -> str:
    return socket.gethostname().replace("_", "-")


def _forget_the_dead(directory: Path) -> None:
    """Remove what processes said of themselves that are gone. What they have counted stays counted."""
    now = _now()
    for alive in directory.glob("alive_*"):
        identifier = alive.name.removeprefix("alive_")
        if now - alive.stat().st_mtime > SILENT_SECONDS_MAX and not _runs_here(identifier):
            _forget(directory, identifier)


def _runs_here(identifier: str) -> bool:
    """Whether it is a process of this machine that is there: where the machine stood still, all of them were silent."""
    host, _, pid = identifier.rpartition(".")
    return host == _host() and Path("/proc", pid).exists()


def _forget(directory: Path, identifier: str) -> None:
    for pattern in (f"gauge_live*_{identifier}.db", f"alive_{identifier}"):
        for file in directory.glob(pattern):
            file.unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
