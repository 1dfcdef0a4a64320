"""What /healthz, /readyz and /metrics say: read from the gateway's parts at the moment of asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hub.gateway.gateway import Gateway
from hub.pages import Answer, Pages
from hub.store.writer import FINAL

CONDITIONS = ("ok", "full", "locked", "damaged", "unreadable", "broken", "closed")
STATES = ("configured", "opening", "up", "degraded", "down")


def pages(gateway: Gateway) -> Pages:
    """The three pages of one gateway."""
    registry = CollectorRegistry()
    registry.register(GatewayMetrics(gateway))

    def healthz() -> Answer:
        alive = gateway.storage.writer.state.condition not in FINAL
        return Answer.json({"alive": alive, "gateway": gateway.settings.id, "phase": gateway.phase}, ok=alive)

    def readyz() -> Answer:
        return Answer.json(status(gateway), ok=gateway.is_ready)

    def metrics() -> Answer:
        return Answer(HTTPStatus.OK, generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8")

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


def status(gateway: Gateway) -> dict[str, Any]:
    """How the gateway is, for people who look."""
    links = gateway.switchboard.health()
    return {
        "ready": gateway.is_ready,
        "phase": gateway.phase,
        "gateway": gateway.settings.id,
        "store": {
            "condition": gateway.storage.writer.state.condition,
            "why": gateway.storage.writer.state.sentence,
        },
        "fill_percent": round(gateway.upkeep.fill.percent, 1),
        "uplink": {"state": gateway.uplink.state, "why": gateway.uplink.reason},
        "links": {name: {"state": one.state, "why": one.reason} for name, one in links.items()},
        "homes": sorted(gateway.roll.part.homes),
        "devices": len(gateway.roll.devices),
        "problems": [problem.as_json() for problem in gateway.problems],
    }


@dataclass(frozen=True, slots=True, eq=False)
class GatewayMetrics:
    """A Prometheus collector."""

    gateway: Gateway

    def collect(self) -> Iterable[Metric]:
        """Every figure, read now."""
        gateway, writer = self.gateway, self.gateway.storage.writer
        yield _counted("trygghub_gateway_heard", "Frames and what became of them", gateway.hearing.counters)
        yield _counted(
            "trygghub_gateway_unread",
            "Frames nobody could read and that were not written",
            {"repeated": gateway.hearing.strangers.repeated, "left_out": gateway.hearing.strangers.left_out},
        )
        yield _counted(
            "trygghub_gateway_judged", "Events judged and decisions made", gateway.judging.counters
        )
        yield _counted(
            "trygghub_gateway_uplink", "Batches, entries, acknowledgements", gateway.uplink.counters
        )
        yield _counted(
            "trygghub_gateway_evicted", "Telemetry deleted unsent", {"entries": gateway.upkeep.evicted}
        )
        counters = writer.counters
        yield _counted(
            "trygghub_gateway_store",
            "Operations and transactions of the writer",
            {
                "operations": counters.operations,
                "refused": counters.refused,
                "batches": counters.batches,
                "failed_batches": counters.failed_batches,
            },
        )
        yield _gauge("trygghub_gateway_store_longest_seconds", "Longest transaction", counters.longest)
        yield _gauge("trygghub_gateway_store_waiting", "Operations waiting for the writer", writer.waiting)
        yield _gauge("trygghub_gateway_lag_seconds", "How late the event loop was of late", gateway.watch.lag)
        yield _gauge("trygghub_gateway_fill_percent", "How full the store is", gateway.upkeep.fill.percent)
        yield _one_of(
            "trygghub_gateway_store_condition", "Condition of the store", writer.state.condition, CONDITIONS
        )
        yield _one_of("trygghub_gateway_uplink_state", "State of the uplink", gateway.uplink.state, STATES)
        yield self._lanes()
        yield self._links()

    def _lanes(self) -> Metric:
        metric = GaugeMetricFamily(
            "trygghub_gateway_lane", "Marks of the outbox by lane", labels=("lane", "mark")
        )
        for lane, cursor in self.gateway.uplink.cursors.lanes.items():
            metric.add_metric((lane, "acknowledged"), cursor.acked)
            metric.add_metric((lane, "sent"), cursor.sent)
        return metric

    def _links(self) -> Metric:
        metric = GaugeMetricFamily("trygghub_gateway_link_up", "Whether a link is up", labels=("link",))
        for name, health in self.gateway.switchboard.health().items():
            metric.add_metric((name,), float(health.state == "up"))
        return metric


def _counted(name: str, says: str, counters: dict[str, int]) -> Metric:
    metric = CounterMetricFamily(name, says, labels=("what",))
    for what, count in counters.items():
        metric.add_metric((what,), count)
    return metric


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


def _one_of(name: str, says: str, value: str, values: Iterable[str]) -> Metric:
    metric = GaugeMetricFamily(name, says, labels=("is",))
    for each in values:
        metric.add_metric((each,), float(each == value))
    return metric
