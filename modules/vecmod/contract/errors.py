"""The error tree of the wire, raised deep and turned into an answer in one place.

    VecmodError                500 internal
    ├── RequestFault           400 malformed            the request itself is wrong; do not send it again
    │   ├── Unauthorized       401 unauthorized
    │   ├── UnknownRoute       404 unknown_route
    │   ├── UnknownModel       404 unknown_model
    │   ├── WrongMethod        405 wrong_method
    │   ├── BodyTimeout        408 body_timeout
    │   ├── TooLarge           413 too_large            body, number of items, pixels
    │   ├── Undecodable        422 undecodable          an item is not what it is said to be
    │   ├── UnsupportedInput   422 unsupported_modality
    │   ├── UrlRefused         422 url_refused          an item is a URL that may not be fetched; nothing was
    │   └── UrlFailed          422 url_failed           an item is a URL, and its server gave no file
    ├── UrlUnavailable         502 url_unavailable      an item is a URL whose server may give the file later
    ├── Unavailable            503 busy                 the same request may succeed later (Retry-After)
    │   └── NotReady           503 not_ready            starting or draining
    └── EngineFault            500 engine_fault         a fault of ours

Every message says what is wrong, in which item, and what to do.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class VecmodError(Exception):
    """A fault with a wire form: ``status``, a stable ``code`` and the message."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def at_item(self, where: str) -> "VecmodError":
        """The same fault with the item it belongs to in front, e.g. ``images[6]: not a picture``."""
        return type(self)(f"{where}: {self.message}")


class RequestFault(VecmodError):
    """The request cannot be understood or is not allowed."""

    status = 400
    code = "malformed"


class Unauthorized(RequestFault):
    """The bearer token is missing or wrong."""

    status = 401
    code = "unauthorized"


class UnknownRoute(RequestFault):
    """There is no such path."""

    status = 404
    code = "unknown_route"


class UnknownModel(RequestFault):
    """The request names a model that this service does not have."""

    status = 404
    code = "unknown_model"


class WrongMethod(RequestFault):
    """The path exists, but not for this method."""

    status = 405
    code = "wrong_method"


class BodyTimeout(RequestFault):
    """The client stopped sending in the middle of the body."""

    status = 408
    code = "body_timeout"


class TooLarge(RequestFault):
    """A limit on size or number was passed."""

    status = 413
    code = "too_large"


class Undecodable(RequestFault):
    """An item is not valid base64, or not a medium that can be decoded."""

    status = 422
    code = "undecodable"


class UnsupportedInput(RequestFault):
    """The model of this service has no encoder for the modality."""

    status = 422
    code = "unsupported_modality"


class UrlRefused(RequestFault):
    """An item is a URL that cannot be read or that the operator did not allow; no file was asked for."""

    status = 422
    code = "url_refused"


class UrlFailed(RequestFault):
    """An item is an allowed URL whose server gave no file."""

    status = 422
    code = "url_failed"


class UrlUnavailable(VecmodError):
    """An item is an allowed URL whose server did not answer, or not in time, or asks to come again."""

    status = 502
    code = "url_unavailable"


class Unavailable(VecmodError):
    """The service cannot take the request now; ``retry_after`` says in how many seconds it may be sent again."""

    status = 503
    code = "busy"
    retry_after: int = 1

    def at_item(self, where: str) -> VecmodError:
        """The same, with the item in front."""
        fault = type(self)(f"{where}: {self.message}")
        fault.retry_after = self.retry_after
        return fault


class NotReady(Unavailable):
    """The model is still loading, or the service is draining."""

    code = "not_ready"
    retry_after = 2


class EngineFault(VecmodError):
    """The model failed on input that had passed every check."""

    code = "engine_fault"


class ErrorBody(BaseModel):
    """The body of every error answer."""

    model_config = ConfigDict(extra="ignore")

    error: str
    code: str = ""
