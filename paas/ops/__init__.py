"""The operator's verbs on this machine: up, down, clean, doctor. They know every part and are known by none."""
