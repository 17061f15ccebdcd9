"""Which model is asked for, and in which of ImageBind's ways."""

from functools import partial

from multi2vec_bind.imagebind_recipe import ImageBindOptions, imagebind
from vecmod.serving.model.families import find_family
from vecmod.serving.run import Choice, Service
from vecmod.serving.service_settings import ServiceSettings


def choose(service: Service, settings: ServiceSettings) -> Choice:
    """The model of ``MODEL_NAME``, or the service's default.

    Raises:
        UnknownName: listing those there are.
    """
    name = settings.model_name or service.default_model
    family = find_family(service.name, name)
    if family is not imagebind:
        return Choice(name, family)
    options = ImageBindOptions(
        may_fetch=settings.accept_noncommercial,
        lose_end=settings.official_long_texts,
        turned=settings.imu_transpose,
    )
    return Choice(name, partial(family, options=options))
