"""What a centre counts, for `/metrics` (Prometheus). One set a process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

ENTRIES = Counter("trygghub_entries", "Entries stored, by type.", ["type"], registry=REGISTRY)
REDELIVERED = Counter(
    "trygghub_entries_redelivered", "Entries that were in the journal already.", registry=REGISTRY
)
CONFLICTS = Counter(
    "trygghub_entries_conflicting", "Entries with a used number and other content.", registry=REGISTRY
)
QUARANTINED = Counter("trygghub_messages_quarantined", "Uplink messages put aside.", registry=REGISTRY)
REFUSED = Counter(
    "trygghub_messages_unstored",
    "Uplink messages the database did not take; they come again.",
    registry=REGISTRY,
)
COMMIT = Histogram(
    "trygghub_intake_commit_seconds",
    "From the first message of a group taken up to its commit.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
    registry=REGISTRY,
)
WAITING = Gauge("trygghub_intake_waiting", "Uplink messages waiting to be stored.", registry=REGISTRY)
OVERDUE = Gauge(
    "trygghub_deadline_overdue_seconds",
    "How long the oldest due deadline has waited, in seconds of the homes' clock.",
    registry=REGISTRY,
)
NOTIFICATIONS = Counter(
    "trygghub_notifications",
    "Attempts to reach a person, by channel and outcome.",
    ["channel", "status"],
    registry=REGISTRY,
)
ALERTS_OPEN = Gauge("trygghub_alerts_open", "Open alerts, by urgency.", ["urgency"], registry=REGISTRY)
LOOP_LAG = Gauge("trygghub_loop_lag_seconds", "How late the event loop woke last.", registry=REGISTRY)
