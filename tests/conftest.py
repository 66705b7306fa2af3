"""Tiny models and tokenizers, made here: no download, no network."""

import gc
import os
import signal
import sys
from types import ModuleType

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny products only wait for a second thread
# Numba's first kernel of a process makes it two threads again; while one waits for the other it
# must not spin, or the tests beside it stand still: tenfold times were seen.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
from hypothesis import settings

from finllm.records import Example, Transcript, Turn

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{ message['content'] | trim }}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
CORPUS = [
    "Revenue grew 12% to $4.2 billion in the quarter, and net income rose to $310 million.",
    "Operating margin fell 50 basis points. We expect full-year revenue of $17 billion.",
    "Thank you, operator. Good morning and welcome to the earnings call.",
]


def byte_level_tokenizer(special, *, bos=None, eos, template=None, vocab_size=300, adds_bos=False):
    """A byte-level BPE tokenizer trained on three sentences; its ids fit a vocabulary of 320."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if adds_bos:  # as Llama-3 does to every text that is encoded with special tokens
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token=eos,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = template
    fast.pad_token = fast.pad_token or eos  # as finllm.model.tokenizer does
    return fast


def stand_in_vllm(monkeypatch, engine):
    """A package ``vllm`` whose ``LLM`` is this class."""
    module, request = ModuleType("vllm"), ModuleType("vllm.lora.request")
    module.LLM, module.SamplingParams = engine, lambda **settings: settings
    request.LoRARequest = lambda *args: args
    for each in (module, ModuleType("vllm.lora"), request):
        monkeypatch.setitem(sys.modules, each.__name__, each)
    return module


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """SIGINT as in a terminal: a shell's background job ignores it, and so does what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module", autouse=True)
def _loaded_once():
    """Leave what is loaded by now out of the collections that every training asks for."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def chatml():
    """Like SmolLM2's: padding, end of turn and end of text are one token."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    return byte_level_tokenizer(special, bos="<|im_start|>", eos="<|im_end|>", template=CHATML)


@pytest.fixture(scope="session")
def llama3():
    """Like Llama-3-Instruct's: a BOS that the tokenizer adds and the template writes as well."""
    special = [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ]
    return byte_level_tokenizer(
        special, bos="<|begin_of_text|>", eos="<|eot_id|>", template=LLAMA3, adds_bos=True
    )


@pytest.fixture(scope="session")
def plain():
    """Like a base model's: no chat template."""
    return byte_level_tokenizer(
        ["<|begin_of_text|>", "<|end_of_text|>"],
        bos="<|begin_of_text|>",
        eos="<|end_of_text|>",
        adds_bos=True,
    )


@pytest.fixture(params=["chatml", "llama3", "plain"])
def any_tokenizer(request):
    """Each of the three in turn."""
    return request.getfixturevalue(request.param)


def tiny_llama(attention="eager", *, seed=0, kv_heads=2, layers=2):
    """A random Llama with 64 hidden units, 4 heads and 2 key-value heads, in float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        vocab_size=320,
        max_position_embeddings=1024,
        initializer_range=0.3,  # wide enough that greedy choices are not ties
        attn_implementation=attention,
    )
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    torch.manual_seed(seed)
    return LlamaForCausalLM(config).eval()


def loaded(folder, quantization="none", dtype="bfloat16", *, kernel="auto", **options):
    """The base model in a folder, as the stages load it."""
    from finllm.model.loading import load_base

    return load_base(
        folder,
        revision="",
        quantization=quantization,
        double_quantization=True,
        compute_dtype=dtype,
        attention_kernel=kernel,
        **options,
    )


def make_example(
    id="t1:summarization",
    *,
    transcript_id="t1",
    company="Acme",
    period="2021Q3",
    sector="Energy",
    template="summarization",
    provenance="human",
    instruction="Summarize:",
    excerpt="Revenue grew 12% to $4.2 billion.",
    answer="Revenue rose 12% to $4.2 billion.",
):
    """An Example whose token counts do not matter."""
    return Example(
        id,
        transcript_id,
        company,
        period,
        sector,
        "sample",
        template,
        provenance,
        instruction,
        excerpt,
        answer,
        10,
        5,
    )


def make_call(id="acme-2021Q3", *, turns=None, summary="Revenue rose 12%.\nMargin fell 50bp."):
    """A short call: prepared remarks, a question, an answer."""
    turns = turns or (
        Turn("Operator", "operator", "prepared", "Good morning and welcome to the Acme call."),
        Turn(
            "Jane Doe",
            "executive",
            "prepared",
            "Revenue grew 12% to $4.2 billion in the quarter. Net income rose to $310 million. "
            "Operating margin fell 50 basis points to 18.5%. We opened four new plants. "
            "We expect full-year revenue of $17 billion. Our people did a remarkable job. "
            "Free cash flow was $220 million. Capital expenditures were $95 million.",
        ),
        Turn(
            "Ann Lee",
            "analyst",
            "qa",
            "Thanks. Could you tell us what drove the decline in operating margin this quarter?",
        ),
        Turn("Jane Doe", "executive", "qa", "Mostly freight. Costs rose $40 million."),
    )
    return Transcript(id, "Acme", "2021Q3", "Energy", "sample", tuple(turns), summary)
