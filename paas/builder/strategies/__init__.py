"""Ways to turn a source into an image; one module each, with `NAME`, `wanted`, `detect` and `build`."""
