"""Cloud Native Buildpacks: who takes part, what they are told, and what of their work becomes the image."""
