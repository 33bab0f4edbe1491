"""Tests, in one folder for each thing tested; `conftest.py` says what holds for all of them."""
