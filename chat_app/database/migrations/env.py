"""For `alembic revision --autogenerate`; at start the migrations run through `agent_core`."""
