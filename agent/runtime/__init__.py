"""The machinery below every controller: watches, delay queue, worker, probes, metrics, logs, settings."""
