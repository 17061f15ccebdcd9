"""What stops a recording or a replay."""


class ReplayError(Exception):
    """It cannot go on; the message says what to do."""


class NotReached(ReplayError):
    """A service takes no connections."""


class NoAnswer(ReplayError):
    """A service took the request and did not answer it; the next request may fare better."""
