"""Rows, sessions and migrations: the database is the truth. No verbs live here."""
