"""What every modality's preprocessing must be able to do."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vecmod.serving.engine.engine import Inputs
from vecmod.serving.medium import Kind, Medium


class Prepared(NamedTuple):
    """What a network is given for one item, what its sender should know (empty if nothing), tokens of a text."""

    content: Inputs
    warning: str = ""
    tokens: int = 0


class Steps(ABC):
    """How a medium becomes the input of a network; frozen data.

    Attributes:
        kind: of medium.
        clips: inputs that one item becomes at most. If it is not 1, what is prepared is ``[clips, ...]``, and the
            item's vector is the mean of their vectors.
    """

    kind: Kind
    clips: int = 1

    @abstractmethod
    def prepare(self, medium: Medium) -> Prepared:
        """The network input of one decoded item.

        Raises:
            Undecodable, TooLarge: if the model can make nothing of it.
        """

    @abstractmethod
    def blank(self) -> Inputs:
        """What is prepared of an item without content, for the warm-up; of several clips, one will do."""

    @abstractmethod
    def describe(self) -> str:
        """One line for ``/meta``."""

    def batch(self, items: Sequence[Inputs]) -> Inputs:
        """One array ``[n, ...]`` of prepared items."""
        return np.stack(items)
