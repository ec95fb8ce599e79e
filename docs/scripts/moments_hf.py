#!/usr/bin/env python3
"""Second moments of the inputs of a Hugging Face model's linear layers, as the file that docs/moments.md describes.

For decoders named as Llama, Mistral, Qwen and Mixtral are, experts being linear layers. Needs torch, transformers, safetensors
and xxhash. Moments of a pass are in memory, 4 bytes x columns x columns an input: --passes takes a part of the layers each.
"""
import argparse
import json
import os
import re
import torch
import xxhash
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

EXPERT = r"(?:mlp|block_sparse_moe)\.experts\.(\d+)\."
# Name in a layer, name in the GGUF, what else the same input feeds.
INPUTS = [
    (r"self_attn\.q_proj", "attn_q", ["attn_k", "attn_v"]),
    (r"self_attn\.o_proj", "attn_output", []),
    (r"mlp\.gate_proj", "ffn_gate", ["ffn_up"]),
    (r"mlp\.down_proj", "ffn_down", []),
    (r"mlp\.shared_experts?\.gate_proj", "ffn_gate_shexp", ["ffn_up_shexp"]),
    (r"mlp\.shared_experts?\.down_proj", "ffn_down_shexp", []),
    (EXPERT + r"(?:gate_proj|w1)", "ffn_gate_exps", ["ffn_up_exps"]),
    (EXPERT + r"(?:down_proj|w2)", "ffn_down_exps", []),
]
FED_TOO = r"layers\..*\.(k_proj|v_proj|up_proj|w3)"


def place(module):
    """(layer, weight, others that share the input, expert or None) of a linear layer whose input is looked at."""
    if found := re.search(r"(?:^|\.)layers\.(\d+)\.(.+)$", module):
        for pattern, name, shared in INPUTS:
            if match := re.fullmatch(pattern, found[2]):
                names = [f"blk.{found[1]}.{n}.weight" for n in [name, *shared]]
                return int(found[1]), names[0], names[1:], int(match[1]) if match.groups() else None


def sequences(tokenizer, text, length, tokens):
    """Whole sequences; the first token of each is the one that begins a text, where the tokenizer adds one."""
    ids = torch.tensor(tokenizer(text, add_special_tokens=False).input_ids[:tokens])
    ids = ids[: len(ids) // length * length].reshape(-1, length)
    if tokenizer.bos_token_id in tokenizer("").input_ids:
        ids[:, 0] = tokenizer.bos_token_id
    return ids


def measure(model, ids, layers, places):
    """{weight: {expert or None: [sum of products, tokens]}} for the inputs of these layers."""
    sums, hooks = {}, []

    def hook(weight, expert):
        def add(_, args):
            x = args[0].detach().reshape(-1, args[0].shape[-1]).float()
            if len(x):
                kept = sums[weight].setdefault(expert, [torch.zeros(x.shape[1], x.shape[1], device=x.device), 0])
                kept[0].addmm_(x.T, x)
                kept[1] += len(x)
        return add
    for name, module in model.named_modules():
        layer, weight, _, expert = places.get(name, (None,) * 4)
        if layer in layers:
            sums.setdefault(weight, {})
            hooks.append(module.register_forward_pre_hook(hook(weight, expert)))
    with torch.no_grad():
        for i, row in enumerate(ids):
            model.base_model(row[None].to(model.device), use_cache=False)
            print(f"layers {layers[0]}-{layers[-1]}: {i + 1} of {len(ids)}", end="\r" if i + 1 < len(ids) else "\n", flush=True)
    for each in hooks:
        each.remove()
    return sums


def packed(kept, columns, dtype):
    """Upper triangle of the mean, row by row; zeros without tokens."""
    if kept is None:
        return torch.zeros(columns * (columns + 1) // 2, dtype=dtype)
    mean = (kept[0] / kept[1]).to(dtype).cpu()
    return torch.cat([mean[i, i:] for i in range(columns)])


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("model", help="folder of the model"), p.add_argument("text"), p.add_argument("out")
    p.add_argument("--tokens", type=int, default=24576), p.add_argument("--length", type=int, default=512)
    p.add_argument("--passes", type=int, default=1), p.add_argument("--bf16", action="store_true")
    p.add_argument("--device", default="cpu"), p.add_argument("--dtype", default="auto")
    p.add_argument("--id", help="what the file says of the model: tritscope.source of its GGUF")
    a = p.parse_args()
    if os.path.exists(a.out):
        p.error(f"{a.out} exists")
    ids = sequences(AutoTokenizer.from_pretrained(a.model), open(a.text, encoding="utf-8").read(), a.length, a.tokens)
    if not ids.numel():
        p.error(f"{a.text} has fewer than {a.length} tokens")
    model = AutoModelForCausalLM.from_pretrained(a.model, torch_dtype=getattr(torch, a.dtype, "auto")).to(a.device).eval()
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    places = {n: place(n) for n in linear if place(n)}
    print("passed over:", ", ".join(n for n in linear if n not in places and not re.search(FED_TOO, n)) or "nothing")
    layers = sorted({layer for layer, *_ in places.values()})
    shared = {other: weight for _, weight, others, _ in places.values() for other in others}
    experts = {w: 1 + max(e for _, v, _, e in places.values() if v == w) for _, w, _, e in places.values() if e is not None}
    tensors, part, store = {}, -(-len(layers) // a.passes), torch.bfloat16 if a.bf16 else torch.float32
    for start in range(0, len(layers), part):
        for weight, by_expert in measure(model, ids, layers[start : start + part], places).items():
            kept = [by_expert.get(e) for e in (range(experts[weight]) if weight in experts else [None])]
            columns = next(k[0].shape[0] for k in kept if k)
            tensors[weight + ".moments"] = torch.stack([packed(k, columns, store) for k in kept])
            tensors[weight + ".tokens"] = torch.tensor([k[1] if k else 0 for k in kept], dtype=torch.int64)
    about = {"format": "tritscope.moments", "version": "1", "tokens": str(ids.numel()), "tool": "moments_hf.py"}
    about |= {"inputs": json.dumps(shared), "text": xxhash.xxh3_128_hexdigest(open(a.text, "rb").read())}
    about |= {"model": a.id} if a.id else {}
    save_file(tensors, a.out + ".partial", about)
    os.rename(a.out + ".partial", a.out)


if __name__ == "__main__":
    main()
