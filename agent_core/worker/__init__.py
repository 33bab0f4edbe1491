"""Workers: when and where due work runs."""
