"""Where releases run: one package per engine, and the router that goes with it."""
