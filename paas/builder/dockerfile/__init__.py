"""Dockerfiles without a builder daemon: read, planned, run in the platform's sandboxes, cut into layers."""
