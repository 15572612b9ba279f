"""What a file's model is: checked hyper-parameters and a recipe of its layers, as data. One module per architecture."""

from harness.core.models.read import architectures, read_model
from harness.core.models.recipe import Model, Recipe

__all__ = ["Model", "Recipe", "architectures", "read_model"]
