"""Run the due work of a store in this process: leases, workpools, heartbeats, distributed engines."""
