"""What tests need beside tests: the browser's finder, helpers, harnesses."""
