"""The row that the module host reads."""

from vecmod.contract.modality import IMAGE
from vecmod.host.catalog import KnownModule

IMG2VEC_EXAMPLE = KnownModule(
    name="img2vec-example",
    origin_variable="EXAMPLE_INFERENCE_API",
    wait_variable="EXAMPLE_WAIT_FOR_STARTUP",
    modalities=(IMAGE,),
    lists=False,
)
