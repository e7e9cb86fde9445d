"""Ways to turn a source into layers; one module each."""
