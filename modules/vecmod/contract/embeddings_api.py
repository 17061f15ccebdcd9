"""Bodies of ``POST /v1/embeddings`` and ``GET /v1/models``, and the errors of both: the shape of OpenAI's API.

Beside OpenAI's own inputs it takes the items of Jina's and the chat messages of GPU servers. What clients send and read
differs more than the APIs say; fields are what they were seen to need.
"""

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from vecmod.contract.errors import Undecodable, VecmodError
from vecmod.contract.modality import IMAGE, MODALITIES, Modality
from vecmod.contract.vectors_api import EXAMPLE_IMAGE, WARNINGS

# What the one string of an object is: by our names, and by two of Jina's.
ITEM_KEYS: dict[str, Modality] = {modality.name: modality for modality in MODALITIES} | {"url": IMAGE, "bytes": IMAGE}
_STRING = {"type": "string"}
_TOKEN_IDS = {"type": "array", "items": {"type": "integer"}, "description": "cl100k_base token ids of one text"}
_ITEM = {
    "anyOf": [
        {**_STRING, "description": "a text; or a picture, if it begins with data:image/<type>;base64,"},
        _TOKEN_IDS,
        *({"type": "object", "properties": {key: _STRING}, "required": [key]} for key in ITEM_KEYS),
    ]
}
_INPUT = {
    "anyOf": [*_ITEM["anyOf"], {"type": "array", "items": _ITEM}],
    "description": "one item or several. The key of an object says what its string is; image, url and bytes are all a "
    "picture. Media are data URI, http(s) URL or base64",
}
_IMAGE_URL = {"anyOf": [_STRING, {"type": "object", "properties": {"url": _STRING}, "required": ["url"]}]}
_PART = {
    "anyOf": [
        {"type": "object", "properties": {key: schema}, "required": [key]}
        for key, schema in {"text": _STRING, "image_url": _IMAGE_URL}.items()
    ]
}
_MESSAGES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"content": {"anyOf": [_STRING, {"type": "array", "items": _PART}, {"type": "null"}]}},
    },
    "description": "instead of input: a conversation, which gives one embedding: the mean of each picture's vector and "
    "that of all texts, joined by line ends. Instructions are embedded like everything else: leave them out",
}
_DATA_URI = f"data:image/png;base64,{EXAMPLE_IMAGE}"

# Of a vector on the wire: numbers, or little-endian float32 in base64.
Encoding = Literal["float", "base64"]


class EmbeddingsRequest(BaseModel):
    """What to embed, and how to answer; ``null`` is as good as absent, unknown keys are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "anyOf": [{"required": ["input"]}, {"required": ["messages"]}],
            "examples": [
                {"input": [{"image": EXAMPLE_IMAGE}, {"url": _DATA_URI}, _DATA_URI]},
                {"input": {"bytes": EXAMPLE_IMAGE}, "encoding_format": "base64"},
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": _DATA_URI}}]}]},
                {"input": []},
            ],
        },
    )

    # Read by `serving/http/embedding_inputs.py`: of a union pydantic would name each kind that an item is not.
    input: Annotated[Any, WithJsonSchema(_INPUT)] = None
    messages: Annotated[Any, WithJsonSchema(_MESSAGES)] = None
    model: str | None = Field(
        default=None, description="the model's or the service's name, with or without what stands before a slash"
    )
    dimensions: int | None = Field(default=None, description="the length of the model's vectors, or the answer is 400")
    encoding_format: Encoding | None = Field(default=None, description="float, if no other is asked for")
    embedding_type: Encoding | None = Field(default=None, description="Jina's word for encoding_format")
    encoding_type: Encoding | None = Field(default=None, description="LlamaIndex's word for encoding_format")
    normalized: bool | None = Field(
        default=None, description="false: vectors as of POST /vectors; else they are scaled to length 1"
    )
    return_multivector: bool | None = Field(default=None, description="true is refused: an item has one vector")

    def encoding(self) -> Encoding:
        """How to write vectors; openai's client adds its own wish to what its caller asks for in other words."""
        return self.encoding_format or self.embedding_type or self.encoding_type or "float"


class Embedding(BaseModel):
    """One vector; ``index`` is the place of its item."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that the model has read of all texts, with its marks of start and end; pictures have none."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """One vector for each item, in their order."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    usage: Usage
    warnings: list[str] | None = Field(default=None, description=WARNINGS)


class ModelEntry(BaseModel):
    """A name that requests may use; ``created`` is when the service started, in seconds since 1970."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "vecmod"


class ModelsResponse(BaseModel):
    """The names of the one model there is."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class OpenAIError(BaseModel):
    """What went wrong; ``code`` is that of all our errors."""

    # Clients choose their exception by it; litellm takes any answer with the first of these words for a 400.
    TYPES: ClassVar[dict[int, str]] = {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        405: "method_not_allowed",
        408: "timeout",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "service_unavailable",
    }

    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorBody(BaseModel):
    """The body of every error answer of these routes; ``detail`` is for clients of Jina's API."""

    error: OpenAIError
    detail: str


def openai_error(fault: VecmodError) -> tuple[int, OpenAIErrorBody]:
    """Status and body of a fault; what is 422 elsewhere is 400 here, as no client of these routes knows 422."""
    status = 400 if fault.status == Undecodable.status else fault.status
    # Messages begin with the key they are about, if there is one.
    key = re.match(r"\w+", fault.message)
    param = key[0] if key and key[0] in EmbeddingsRequest.model_fields else None
    kind = OpenAIError.TYPES.get(status, "server_error")
    error = OpenAIError(message=fault.message, type=kind, param=param, code=fault.code)
    return status, OpenAIErrorBody(error=error, detail=fault.message)
