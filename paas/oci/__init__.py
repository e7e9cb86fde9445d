"""Content-addressed archives, layers, images and the registry that holds them.

A library of its own: it knows digests and bytes, nothing of projects, apps or builds.
"""
