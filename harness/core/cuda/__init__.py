"""The CUDA backend: `.cu` kernels, a host side of which one module touches CuPy, and an emulator for proof."""
