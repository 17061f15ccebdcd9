"""What can go wrong on the database side.

HostError
├── InvalidClass         the class definition cannot work
├── InvalidObject        an object does not fit its class
│   └── NothingToVectorize   it has none of the fields that are vectorised
├── InvalidQuery         a query cannot be asked this way
├── UnknownClass         there is no such class in the store
├── UnknownObject        there is no such object in the class
├── InvalidSettings      modules or store are not set up
├── ServiceError         the inference service answered with an error
├── ServiceUnreachable   it did not answer at all
└── StoreError           the database failed
"""


class HostError(Exception):
    """Base of all; ``code`` is a stable word for reports."""

    code = "host"

    @property
    def reason(self) -> str:
        """The message for somebody who knows already what was asked of whom."""
        return str(self)


class InvalidClass(HostError):
    """The class definition is refused; the message is Weaviate's where Weaviate has one."""

    code = "invalid_class"


class InvalidObject(HostError):
    """The object cannot be vectorised or stored."""

    code = "invalid_object"


class NothingToVectorize(InvalidObject):
    """The object has none of the fields that are vectorised."""

    code = "nothing_to_vectorize"


class InvalidQuery(HostError):
    """The query cannot be asked."""

    code = "invalid_query"


class UnknownClass(HostError):
    """The store has no class of that name."""

    code = "unknown_class"


class UnknownObject(HostError):
    """The class has no object of that id."""

    code = "unknown_object"


class InvalidSettings(HostError):
    """A module or store that is needed is not set up."""

    code = "invalid_settings"


class ServiceError(HostError):
    """The service refused or failed; ``code`` and ``reason`` are the service's own words where it gave some.

    The message begins as Weaviate's does: ``fail with status 422: ...``.
    """

    def __init__(self, message: str, code: str = "service_error", reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self._reason = reason

    @property
    def reason(self) -> str:
        """The message for somebody who knows already what was asked of whom."""
        return self._reason or str(self)


class ServiceUnreachable(HostError):
    """No answer, or none in time; other requests will most likely fare the same."""

    code = "service_unreachable"


class StoreError(HostError):
    """The database refused or failed."""

    code = "store_error"
