"""CUDA kernels on the CPU, for proof and never for speed: the same `.cu` files, compiled by g++ against a run time."""
