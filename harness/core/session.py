"""A loaded model that can be asked: prefill, decode, logits. The core's public face."""
