"""One machine: instances and sandboxes on its Docker Engine, HAProxy in front of them."""
