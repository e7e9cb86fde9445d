"""A self-hosted platform-as-a-service."""
