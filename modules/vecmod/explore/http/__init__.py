"""The explorer over HTTP: routes, the gate before them, the process; all coroutines of the explorer are here."""
