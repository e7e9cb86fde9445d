"""The API and its server: parse, call one action, render."""
