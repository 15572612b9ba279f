"""Drives the peer engines' wheels, for tests only. Run as a script: a process for every call.

ik logits MODEL TOKENS OUT.npy UBATCH [muge]   float32 [T, n_vocab] by ik_llama.cpp
mainline logits MODEL TOKENS OUT.npy N [KV]    float32 [T + N, n_vocab] by llama.cpp: N greedy tokens follow the T
mainline perplexity MODEL TOKENS WINDOW JSON: a number, over the second half of each window as llama-perplexity has it
mainline greedy MODEL TOKENS N          JSON: [[token, logprob, second logprob], ...] by llama.cpp
mainline next MODEL TOKENS N            JSON: [[length, [[token, logprob], ...]], ...] over N tokens, for some lengths
mainline tokenize MODEL TEXTFILE        JSON: token ids by llama.cpp
TOKENS are comma-separated ids.
"""

import ctypes
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

N_THREADS = 1  # theirs wait for each other in loops, which is slow beside other tests


def ik_logits(model: str, tokens: list[int], out: str, ubatch: int, *, merge: bool) -> None:
    """From 32 tokens in a ubatch on, it computes SmolLM2 (576 columns of Q4_1) wrongly.

    Below 32 it computes plain products of IQ3_XXS, IQ4_XS and IQ4_KSS wrongly: logits are 12 to 26 % off those of its
    own larger ubatches, which are llama.cpp's.
    """
    from ik_llama_cpp import _ctypes_api as api

    lib = api._lib
    log_callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    silent = log_callback(lambda _level, _text, _user: None)
    lib.llama_log_set.argtypes = [log_callback, ctypes.c_void_p]
    lib.llama_log_set(silent, None)
    lib.llama_get_logits.restype = ctypes.POINTER(ctypes.c_float)
    lib.llama_get_logits.argtypes = [ctypes.c_void_p]
    lib.llama_batch_init.restype = api.llama_batch
    lib.llama_batch_init.argtypes = [ctypes.c_int32] * 3
    lib.llama_decode.restype = ctypes.c_int32
    lib.llama_decode.argtypes = [ctypes.c_void_p, api.llama_batch]
    api.llama_backend_init()
    model_params = api.llama_model_default_params()
    model_params.merge_up_gate_exps = merge
    context_params = api.llama_context_default_params()
    context_params.n_ctx = context_params.n_batch = -(-len(tokens) // 256) * 256
    context_params.n_ubatch = ubatch
    context_params.flash_attn = False  # with it, windows shorter than a tile are computed wrongly
    context_params.n_threads = context_params.n_threads_batch = N_THREADS
    handle = api.llama_model_load_from_file(model.encode(), model_params)
    context = api.llama_init_from_model(handle, context_params)
    n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(handle))
    batch = lib.llama_batch_init(len(tokens), 0, 1)
    batch.n_tokens = len(tokens)
    for i, token in enumerate(tokens):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, i, 1, 1
        batch.seq_id[i][0] = 0
    if lib.llama_decode(context, batch) != 0:
        sys.exit("ik_llama.cpp could not decode")
    np.save(out, np.ctypeslib.as_array(lib.llama_get_logits(context), (len(tokens), n_vocab)))


class Mainline:
    """llama.cpp's libllama itself: its server tells probabilities only, and of some tokens none."""

    def __init__(self, model: str, n_ctx: int, kv_type: str = "f16") -> None:
        from harness.engines.xllamacpp import MainlineLibrary
        from harness.records.axes import Axes

        self._library = library = MainlineLibrary()
        axes = Axes(type_k=kv_type, type_v=kv_type)
        handle = library.load(model, axes) or sys.exit(f"llama.cpp: no model. {library.last_words()}")
        self._context = library.context(handle, axes, n_ctx, N_THREADS) or sys.exit(library.last_words())
        self._n_vocab = library.facts(handle).n_vocab
        self._position = 0

    def logits(self, tokens: list[int]) -> Any:
        """Of tokens that follow those before them."""
        from harness.engines.libllama import array

        inputs = array(tokens)
        batch = self._library.batch(inputs, 0, len(tokens), self._position, all_logits=True)
        if self._library.decode(self._context, batch) != 0:
            sys.exit(f"llama.cpp could not decode. {self._library.last_words()}")
        self._library.synchronize(self._context)
        self._position += len(tokens)
        return self._library.logits(self._context, len(tokens), self._n_vocab).copy()

    def forget(self) -> None:
        self._library.rewind(self._context, self._position, 0)
        self._position = 0


def mainline_logits(model: str, tokens: list[int], out: str, n_more: int, *kv_type: str) -> None:
    peer = Mainline(model, 512, *kv_type)
    parts = [peer.logits(tokens)]
    for _ in range(n_more):
        parts.append(peer.logits([int(parts[-1][-1].argmax())]))
    np.save(out, np.concatenate(parts))


def perplexity(model: str, tokens: list[int], window: int) -> float:
    peer, losses = Mainline(model, window), []
    for start in range(0, len(tokens), window):
        part = tokens[start : start + window]
        peer.forget()
        logits = peer.logits(part).astype(np.float64)
        losses += [
            np.logaddexp.reduce(logits[at - 1]) - logits[at - 1, part[at]] for at in range(window // 2 + 1, window)
        ]
    return float(np.exp(np.mean(losses)))


def mainline(model: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx, params.n_parallel, params.warmup = 512, 1, False
    params.cpuparams.n_threads = N_THREADS
    params.verbosity = -1
    return xllamacpp.Server(params)


def greedy(model: str, tokens: list[int], n: int) -> list[list[float]]:
    request = {"prompt": tokens, "n_predict": n, "temperature": 0, "n_probs": 2, "samplers": ["temperature"]}
    answer = mainline(model).handle_completions(request)
    answer = json.loads(answer) if isinstance(answer, str) else answer
    steps = answer["choices"][0]["logprobs"]["content"]
    return [[step["id"], *(top["logprob"] for top in step["top_logprobs"])] for step in steps]


def next_token(model: str, tokens: list[int], n_vocab: int) -> list[tuple[int, list[list[float]]]]:
    """(length, [[token, logprob], ...]) after prompts of several lengths.

    The server tells no probabilities where the likeliest token is no whole character; those lengths are left out.
    """
    server = mainline(model)
    request = {"n_predict": 1, "temperature": 0, "n_probs": n_vocab, "samplers": ["temperature"], "ignore_eos": True}
    told = []
    for length in (2, 5, 12, 20, len(tokens)):
        answer = server.handle_completions(request | {"prompt": tokens[:length], "cache_prompt": False})
        answer = json.loads(answer) if isinstance(answer, str) else answer
        given = answer["choices"][0]["logprobs"]
        if given:
            told.append((length, [[top["id"], top["logprob"]] for top in given["content"][0]["top_logprobs"]]))
    return told


def tokenize(model: str, text: str) -> list[int]:
    server = mainline(model)
    body = json.dumps({"content": text}).encode()
    request = urllib.request.Request(f"{server.listening_address}/tokenize", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["tokens"]


ASKED = {"greedy": greedy, "next": next_token, "perplexity": perplexity}


def main(engine: str, what: str, model: str, *rest: str) -> None:
    if engine == "ik":
        ik_logits(model, [int(t) for t in rest[0].split(",")], rest[1], int(rest[2]), merge=rest[3:] == ("muge",))
    elif what == "logits":
        mainline_logits(model, [int(t) for t in rest[0].split(",")], rest[1], int(rest[2]), *rest[3:])
    elif what in ASKED:
        json.dump(ASKED[what](model, [int(t) for t in rest[0].split(",")], int(rest[1])), sys.stdout)
    else:
        json.dump(tokenize(model, Path(rest[0]).read_bytes().decode()), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
