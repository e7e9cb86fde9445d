"""The verbs: each authorises, owns its transaction, and combines the database with the ports."""
