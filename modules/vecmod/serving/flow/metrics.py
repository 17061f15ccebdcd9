"""Every counter and histogram of a service, named once; the one door to the Prometheus client."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from vecmod.serving.flow.batcher import BatchReport

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one service; stages are read, fetch, decode, wait, run, write."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        to = self._registry
        self.requests = Counter("vecmod_requests", "Requests answered.", ["route", "status"], registry=to)
        self.rejections = Counter("vecmod_rejections", "Requests refused, by error code.", ["code"], registry=to)
        self.items = Counter("vecmod_items", "Items embedded.", ["modality"], registry=to)
        self.truncated = Counter("vecmod_texts_truncated", "Texts longer than the model reads.", registry=to)
        self.lookups = Counter(
            "vecmod_vector_lookups",
            "Items: vector known, being computed, or not.",
            ["result"],
            registry=to,
        )
        self.shared = Counter(
            "vecmod_shared_vectors", "Questions to the cache that replicas share.", ["result"], registry=to
        )
        self.in_flight = Gauge("vecmod_requests_in_flight", "Requests admitted and not yet answered.", registry=to)
        self._batches = Histogram(
            "vecmod_batch_size", "Items in one run of the model.", ["modality"], buckets=_SIZES, registry=to
        )
        self._stages = Histogram("vecmod_stage_seconds", "Seconds by stage.", ["stage"], buckets=_SECONDS, registry=to)
        self._limit = Gauge(
            "vecmod_batch_limit",
            "Items in one run at most; less since one was out of memory.",
            ["modality"],
            registry=to,
        )
        self._wait = Gauge(
            "vecmod_expected_wait_seconds", "Until a new import would have its turn.", ["modality"], registry=to
        )
        self._depth = Gauge("vecmod_queue_depth", "Items that wait for the model.", ["modality"], registry=to)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.perf_counter() - start)

    def watch_queue(self, modality: str, depth: Callable[[], float]) -> None:
        """Read the depth of a queue whenever metrics are asked for."""
        self._depth.labels(modality).set_function(depth)

    def watch_wait(self, modality: str, seconds: Callable[[], float]) -> None:
        """Ask how long a new import would wait whenever metrics are asked for."""
        self._wait.labels(modality).set_function(seconds)

    def watch_batch_limit(self, modality: str, limit: Callable[[], float]) -> None:
        """Read how many items one run may have whenever metrics are asked for."""
        self._limit.labels(modality).set_function(limit)

    def batch(self, modality: str, report: BatchReport) -> None:
        """Count one run of the model."""
        self.items.labels(modality).inc(report.size)
        self._batches.labels(modality).observe(report.size)
        self._stages.labels("run").observe(report.run)
        for wait in report.waits:
            self._stages.labels("wait").observe(wait)

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return generate_latest(self._registry)
