"""`paasctl`: a client of the HTTP API, one file per noun; nothing here knows the platform's inside."""
