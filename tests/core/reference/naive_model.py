"""A model in a few lines of float64, straight from the formulas of the architectures: no plan, no program, no blocks.

It shares nothing with the code under test but the dequantised weights.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import dequantize
from harness.core.gguf import GgufFile

F64 = NDArray[np.float64]


class NaiveModel:
    """Logits of all positions of one sequence, computed at once."""

    def __init__(self, file: GgufFile) -> None:
        self.file = file
        self.weights: dict[str, F64] = {}
        self.arch = str(file.metadata["general.architecture"])
        self.eps = self.key("attention.layer_norm_rms_epsilon")
        self.n_head, self.n_head_kv = self.key("attention.head_count"), self.key("attention.head_count_kv")

    def key(self, name: str, default: Any = None) -> Any:
        return self.file.metadata.get(f"{self.arch}.{name}", default)

    def weight(self, name: str) -> F64:
        if name not in self.weights:
            info = self.file.tensors[name]
            flat = dequantize(info.format, self.file.read(name), info.n_columns)
            self.weights[name] = flat.astype(np.float64).reshape(info.shape)
        return self.weights[name]

    def affine(self, stem: str, x: F64, expert: int | None = None) -> F64:
        pick = ... if expert is None else expert
        y = x @ self.weight(f"{stem}.weight")[pick].T
        bias = f"{stem}.bias"
        return y + self.weight(bias)[pick] if bias in self.file.tensors else y

    def norm(self, x: F64, name: str) -> F64:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.weight(name)

    def logits(self, tokens: list[int]) -> F64:
        x = self.weight("token_embd.weight")[tokens]
        for layer in range(self.key("block_count")):
            x = x + self.attention(f"blk.{layer}", self.norm(x, f"blk.{layer}.attn_norm.weight"), layer)
            second = "post_attention_norm" if self.arch == "gpt-oss" else "ffn_norm"
            h = self.norm(x, f"blk.{layer}.{second}.weight")
            x = x + (self.mixture(f"blk.{layer}", h) if self.key("expert_count") else self.dense(f"blk.{layer}", h))
        head = "output.weight" if "output.weight" in self.file.tensors else "token_embd.weight"
        return self.norm(x, "output_norm.weight") @ self.weight(head).T

    def attention(self, block: str, h: F64, layer: int) -> F64:
        n = len(h)
        q = self.affine(f"{block}.attn_q", h).reshape(n, self.n_head, -1)
        k = self.affine(f"{block}.attn_k", h).reshape(n, self.n_head_kv, -1)
        v = self.affine(f"{block}.attn_v", h).reshape(n, self.n_head_kv, -1)
        if self.arch == "qwen3moe":
            q, k = self.norm(q, f"{block}.attn_q_norm.weight"), self.norm(k, f"{block}.attn_k_norm.weight")
        q, k = self.rotate(q), self.rotate(k)
        group = self.n_head // self.n_head_kv
        position = np.arange(n)
        seen = position[None, :] <= position[:, None]
        if self.arch == "gpt-oss" and layer % 2 == 0:
            seen &= position[:, None] - position[None, :] < self.key("attention.sliding_window")
        out = np.empty((n, self.n_head, v.shape[-1]))
        for head in range(self.n_head):
            scores = q[:, head] @ k[:, head // group].T / np.sqrt(q.shape[-1])
            share = np.where(seen, np.exp(scores), 0)
            total = share.sum(1)
            if self.arch == "gpt-oss":
                total = total + np.exp(self.weight(f"{block}.attn_sinks.weight")[head])
            out[:, head] = share @ v[:, head // group] / total[:, None]
        return self.affine(f"{block}.attn_output", out.reshape(n, -1))

    def rotate(self, heads: F64) -> F64:
        n_rot = heads.shape[-1]
        turn = 1j * np.arange(len(heads))[:, None] * self.frequencies(n_rot)[None, :]
        rotation = (np.exp(turn) * self.magnitude())[:, None, :]
        if self.arch == "llama":
            turned = (heads[..., 0::2] + 1j * heads[..., 1::2]) * rotation
            return np.stack([turned.real, turned.imag], -1).reshape(heads.shape)
        turned = (heads[..., : n_rot // 2] + 1j * heads[..., n_rot // 2 :]) * rotation
        return np.concatenate([turned.real, turned.imag], -1)

    def frequencies(self, n_rot: int) -> F64:
        base = self.key("rope.freq_base", 10000.0)
        plain = 1 / base ** (np.arange(0, n_rot, 2) / n_rot)
        if self.key("rope.scaling.type") != "yarn":
            return plain
        length = self.key("rope.scaling.original_context_length")
        turns = np.log(length / (np.array([32, 1]) * 2 * np.pi)) * n_rot / (2 * np.log(base))
        low, high = np.floor(turns[0]), np.ceil(turns[1])
        ramp = np.clip((np.arange(n_rot // 2) - low) / (high - low), 0, 1)
        return plain * (1 - ramp) + plain / self.key("rope.scaling.factor") * ramp

    def magnitude(self) -> float:
        if self.key("rope.scaling.type") != "yarn":
            return 1.0
        return float(0.1 * np.log(self.key("rope.scaling.factor")) + 1)

    def dense(self, block: str, h: F64) -> F64:
        gate, up = self.affine(f"{block}.ffn_gate", h), self.affine(f"{block}.ffn_up", h)
        return self.affine(f"{block}.ffn_down", self.activate(gate, up))

    def mixture(self, block: str, h: F64) -> F64:
        scores = self.affine(f"{block}.ffn_gate_inp", h)
        out = np.zeros_like(h)
        for token, row in enumerate(scores):
            chosen = np.argsort(-row)[: self.key("expert_used_count")]
            share = np.exp(row[chosen])
            for expert, weight in zip(chosen, share / share.sum(), strict=True):
                gate, up = (self.affine(f"{block}.ffn_{role}_exps", h[token], expert) for role in ("gate", "up"))
                out[token] += weight * self.affine(f"{block}.ffn_down_exps", self.activate(gate, up), expert)
        return out

    def activate(self, gate: F64, up: F64) -> F64:
        if self.arch != "gpt-oss":
            return gate / (1 + np.exp(-gate)) * up
        g, u = np.minimum(gate, 7), np.clip(up, -7, 7)
        return g / (1 + np.exp(-1.702 * g)) * (u + 1)
