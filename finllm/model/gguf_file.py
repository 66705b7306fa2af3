"""Export of a Llama-architecture model as one GGUF file for llama.cpp.

llama.cpp publishes the package ``gguf``, which writes the format, but its converter is a script in
its repository. This module has the part of the converter that a plain Llama needs: names from the
package's map, the rows of Q and K in llama.cpp's order, and a byte-level BPE tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

LLAMA3_REGEX_START = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"


def write_gguf(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """Write the weights (bfloat16; norms float32), settings, tokenizer and chat template.

    Raises
    ------
    ValueError
        If the model or the tokenizer is of an unsupported kind.
    """
    config = model.config
    rope = config.rope_parameters
    if config.model_type != "llama" or rope["rope_type"] != "default" or config.attention_bias:
        raise ValueError(
            f"GGUF export writes plain Llama models, and this one is {config.model_type} with "
            f"{rope['rope_type']} rotary embeddings and attention_bias {config.attention_bias}; "
            "use --format merged"
        )
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_name(file.stem)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_tokenizer(writer, tokenizer, config.vocab_size)
    _add_tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def licence(file: Path) -> str:
    """Return the licence that a GGUF file states, as the Hub's identifier, or ``other``."""
    field = gguf.GGUFReader(file).get_field("general.license")
    return str(field.contents()) if field else "other"


def rows_for_llama_cpp(weight: np.ndarray, n_heads: int) -> np.ndarray:
    """Return the rows of Q or K with each head's two halves interleaved, as llama.cpp rotates them.

    ``weight`` is (n_heads * head_dim, n_inputs), as in transformers.
    """
    halves = weight.reshape(n_heads, 2, weight.shape[0] // n_heads // 2, weight.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(weight.shape))


def _add_tensors(writer: gguf.GGUFWriter, model: PreTrainedModel) -> None:
    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        data = value.detach().to("cpu", torch.float32).numpy()
        if name.endswith("q_proj.weight"):
            data = rows_for_llama_cpp(data, config.num_attention_heads)
        elif name.endswith("k_proj.weight"):
            data = rows_for_llama_cpp(data, config.num_key_value_heads)
        written = names.get_name(name, try_suffixes=(".weight",))
        if written is None:
            raise ValueError(f"GGUF has no name for the weight {name}; use --format merged")
        if data.ndim == 1:
            writer.add_tensor(written, data)
        else:
            kind = gguf.GGMLQuantizationType.BF16
            writer.add_tensor(written, gguf.quantize(data, kind), raw_dtype=kind)


def _add_tokenizer(
    writer: gguf.GGUFWriter, tokenizer: PreTrainedTokenizerBase, vocab_size: int
) -> None:
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    if described["model"]["type"] != "BPE" or described["model"].get("byte_fallback"):
        raise ValueError(
            f"GGUF export writes byte-level BPE tokenizers, and this one is "
            f"{described['model']['type']}; use --format merged"
        )
    texts = {index: text for text, index in tokenizer.get_vocab().items()}
    added = {one["id"]: one for one in described["added_tokens"]}
    kinds = []
    for index in range(vocab_size):
        if index not in texts:
            kinds.append(gguf.TokenType.UNUSED)
        elif index in added:
            special = added[index]["special"]
            kinds.append(gguf.TokenType.CONTROL if special else gguf.TokenType.USER_DEFINED)
        else:
            kinds.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pretokenizer(described["pre_tokenizer"]))
    writer.add_token_list([texts.get(index, f"[PAD{index}]") for index in range(vocab_size)])
    writer.add_token_types(kinds)
    pairs = described["model"]["merges"]
    writer.add_token_merges([p if isinstance(p, str) else " ".join(p) for p in pairs])
    ids = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id}
    ids |= {"pad": tokenizer.pad_token_id, "unk": tokenizer.unk_token_id}
    add = {"bos": writer.add_bos_token_id, "eos": writer.add_eos_token_id}
    add |= {"pad": writer.add_pad_token_id, "unk": writer.add_unk_token_id}
    for name, index in ids.items():
        if index is not None:
            add[name](index)
    adds_bos = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    writer.add_add_bos_token(adds_bos)
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _pretokenizer(described: dict) -> str:
    """Return llama.cpp's name of the pre-tokenizer, which splits text before the merges."""
    steps = described.get("pretokenizers", [described])
    kinds = [step["type"] for step in steps]
    if kinds == ["ByteLevel"] and steps[0]["use_regex"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and steps[0]["individual_digits"]:
        return "smollm"
    if kinds == ["Split", "ByteLevel"]:
        if steps[0]["pattern"].get("Regex", "").startswith(LLAMA3_REGEX_START):
            return "llama-bpe"
    raise ValueError(
        f"GGUF export does not know llama.cpp's name for this tokenizer's pre-tokenizer "
        f"({', '.join(kinds)}); use --format merged"
    )
