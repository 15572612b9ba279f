"""The inference core: from a GGUF file to logits. Knows nothing of benchmarks."""
