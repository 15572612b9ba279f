"""Value tables of ik_llama.cpp's non-linear formats; each has a second, shifted copy that a bit per group selects."""

import numpy as np

IQ4_VALUES = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)
IQ4_SHIFTED = np.stack([IQ4_VALUES, IQ4_VALUES + np.int8(4)])
