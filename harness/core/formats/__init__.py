"""Tensor formats: what a row's bytes mean. One row of the table and one module per format."""

from harness.core.formats.codec import NormalForm
from harness.core.formats.random import random_rows
from harness.core.formats.rows import dequantize, normal_form, quantize

__all__ = ["NormalForm", "dequantize", "normal_form", "quantize", "random_rows"]
