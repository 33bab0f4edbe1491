"""For `alembic revision --autogenerate`; at start the migrations run through `store.migrate`."""
