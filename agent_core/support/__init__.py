"""Support modules: clocks, ids, settings, logs, retry arithmetic and crash points."""
