"""What can go wrong between the page and the explorer, beside what can go wrong on the database side."""


class ExploreFault(Exception):
    """A fault with a wire form: the status of HTTP, a stable word and the message: what is wrong and what to do.

    Args:
        status: of the answer.
        code: for programs.
        message: for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def not_found(message: str) -> ExploreFault:
    """Something that is asked for is not there."""
    return ExploreFault(404, "not_found", message)


def malformed(message: str) -> ExploreFault:
    """A request that cannot be understood."""
    return ExploreFault(400, "malformed", message)
