"""Source to image: what a stranger wrote becomes layers of known bytes. `pipeline.build` is the only door."""
