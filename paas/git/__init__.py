"""The git front door: bare repositories, smart HTTP, and the push that builds."""
