"""Base and tuned about one call: the file, the prompt, the answers, and how they are shown."""

import json
import re
from pathlib import Path

import pytest
from conftest import make_call, make_example, tiny_llama
from ruamel.yaml import YAML

from finllm import cli
from finllm.commands.chat import columns
from finllm.commands.chat import command as chat_command
from finllm.commands.chat.session import Exchange, Reply, Session, example_of, load_models
from finllm.commands.chat.transcript_file import read_call
from finllm.instruct import templates
from finllm.rating.answered import read_answered
from finllm.records import write_jsonl
from finllm.report.marked import CONTRADICTED, INVENTED, SUPPORTED, marked
from finllm.settings.params import load_params

ROOT = Path(__file__).parents[1]
TEXT = "Good morning.\nRevenue grew 12% to $4.2 billion.\nNet income fell to $310 million."


# --- the file


def test_a_call_is_read_from_every_format(tmp_path):
    (tmp_path / "ACME_q3_2021.txt").write_text(TEXT)
    call = read_call(tmp_path / "ACME_q3_2021.txt")
    assert (call.id, call.company, call.period) == ("ACME_q3_2021", "ACME", "2021Q3")
    (tmp_path / "notes.md").write_text(TEXT)
    assert read_call(tmp_path / "notes.md").text == TEXT
    (tmp_path / "42.nlp").write_text("token|speaker|punctuation|case\nrevenue|1||UC\nrose|1|.|LC\n")
    assert read_call(tmp_path / "42.nlp").text == "Revenue rose."
    write_jsonl(tmp_path / "calls.jsonl", [make_call("a"), make_call("b")])
    assert read_call(tmp_path / "calls.jsonl", "b") == make_call("b").__class__(
        **{**vars(make_call("b")), "source": "calls"}
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "source.yaml").write_text(
        "format: csv\nfields: {id: key, text: words}\n", encoding="utf-8"
    )
    (tmp_path / "mine" / "calls.csv").write_text('key,words\nx,"Revenue rose 3%."\n')
    assert read_call(tmp_path / "mine" / "calls.csv").text == "Revenue rose 3%."


@pytest.mark.parametrize(
    ("name", "content", "call_id", "says"),
    [
        ("none.txt", None, "", "no such file; it must hold a transcript: plain text"),
        ("empty.txt", "", "", "no transcript: empty"),
        ("calls.csv", "a,b\n1,2\n", "", "no source.yaml in its folder"),
        ("two.jsonl", "two", "", "2 calls; name one with --id: a, b"),
        ("two.jsonl", "two", "c", "no call 'c'; available: a, b"),
        ("bad.jsonl", "{}\n", "", "no transcript: bad_call"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path, name, content, call_id, says):
    path = tmp_path / name
    if content == "two":
        write_jsonl(path, [make_call("a"), make_call("b")])
    elif content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        read_call(path, call_id)
    assert str(path) in str(error.value)


# --- the models


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, chatml):
    """A tiny base, another one as the tuned model, and their params.yaml."""
    folder = tmp_path_factory.mktemp("asking")
    for name, seed in (("base", 0), ("models/adapter", 1)):
        tiny_llama(seed=seed).bfloat16().save_pretrained(folder / name)
        chatml.save_pretrained(folder / name)
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["model"].update(name=str(folder / "base"), gguf_package="", gguf_file="")
    params["predict"].update(max_new_tokens=4)
    params["templatize"].update(max_tokens=600)  # the tiny tokenizer has few words
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        yaml.dump(params, file)
    (folder / "call.txt").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def session(workspace):
    params = load_params(workspace / "params.yaml")
    adapter = workspace / "models/adapter"
    answerers = load_models(("base", "tuned"), adapter=adapter, params=params)
    return Session(read_call(workspace / "call.txt"), answerers, params)


def test_training_examples_are_answered_once_to_be_rated(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("FINLLM_CHECKPOINTS", str(tmp_path / "checkpoints"))
    monkeypatch.setattr("finllm.commands.rate.app.serve", lambda *said, port: shown.append(said))
    rows = [
        make_example(f"e{i}", company=f"c{i}", excerpt=TEXT, provenance=provenance)
        for i, provenance in enumerate(("human", "derived", "human", "human"))
    ]
    write_jsonl(tmp_path / "train.jsonl", rows)
    shown = []
    words = ["rate", "--split", "train", "--examples", str(tmp_path / "train.jsonl")]
    words += [
        "--ratings",
        str(tmp_path / "ratings"),
        "--adapter",
        str(workspace / "models/adapter"),
    ]
    words += ["--params", str(workspace / "params.yaml"), "--count"]
    cli.main([*words, "2"])
    kept = read_answered(tmp_path / "ratings")
    assert len(kept) == 2 and {row.example_id for row in kept} <= {"e0", "e2", "e3"}
    ((pairs, folder),) = shown
    assert folder == tmp_path / "ratings"
    assert {(row.base_cut, row.tuned_cut) for row in kept} == {(True, True)}  # at four tokens
    assert {pair.sha256 for pair in pairs} == {row.sha256 for row in kept if row.base != row.tuned}
    cli.main([*words, "0"])
    again = read_answered(tmp_path / "ratings")
    assert again[:2] == kept and {row.example_id for row in again} == {"e0", "e2", "e3"}
    with pytest.raises(SystemExit, match="--count is -1; it must be 0 or more"):
        cli.main([*words, "-1"])


def test_both_models_answer_one_prompt_as_predict_does(session, workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    found = session.ask("summarization")
    assert found.question == templates.wordings("summarization")[0]
    assert list(found.replies) == ["base", "tuned"]
    assert found.replies["base"].text != found.replies["tuned"].text
    (workspace / "calls").mkdir(exist_ok=True)
    (workspace / "calls" / "call.txt").write_text(TEXT)
    for model in ("base", "tuned"):
        words = ["predict", "--input", "calls", "--output", "out.jsonl", "--model", model]
        cli.main(words)
        (row,) = map(json.loads, Path("out.jsonl").read_text().splitlines())
        assert row["text"] == found.replies[model].text
        assert row["prompt_sha256"] == found.prompt_sha256
        assert row["n_prompt_tokens"] == found.n_prompt_tokens


def test_a_question_takes_the_place_of_the_template_s_own(session):
    own, asked = session.ask("summarization"), session.ask("summarization", "What was revenue?")
    assert asked.question == "What was revenue?" and asked.excerpt == own.excerpt
    assert asked.prompt_sha256 != own.prompt_sha256
    with pytest.raises(ValueError, match=r"prompt has \d+ tokens; the model reads 1024"):
        session.ask("summarization", "why? " * 2000)
    with pytest.raises(ValueError, match="template 'poetry'; allowed:"):
        session.ask("poetry")


def test_a_call_of_which_nothing_fits_is_named(session):
    call = make_call("long", turns=make_call().turns[:1])
    call = call.__class__(**{**vars(call), "turns": (type(call.turns[0])("", "unknown", "unknown",
        "word " * 3000 + "."),)})  # fmt: skip
    with pytest.raises(ValueError, match=r"^long: the call: no usable transcript"):
        example_of(call, session.params, "summarization")


def command(workspace, *words):
    arguments = ["--transcript", str(workspace / "call.txt"), "--params"]
    cli.main(["chat", *arguments, str(workspace / "params.yaml"), *words])


def test_the_command_prints_json_for_scripts(session, workspace, monkeypatch, capsys):
    monkeypatch.setattr(
        "finllm.commands.chat.session.load_models", lambda *_, **__: session.answerers
    )
    adapter = ("--adapter", str(workspace / "models/adapter"))
    command(workspace, *adapter, "--json", "--question", "Revenue?", "--question", "Costs?")
    record = json.loads(capsys.readouterr().out)
    assert record["transcript"] == "call"
    assert [row["question"] for row in record["exchanges"]] == ["Revenue?", "Costs?"]
    reply = record["exchanges"][0]["replies"]["tuned"]
    assert "".join(piece["text"] for piece in reply["pieces"]) == reply["text"]
    assert set(reply["figures"]) == {SUPPORTED, CONTRADICTED, INVENTED}


def test_without_a_terminal_the_template_s_own_question_is_asked(
    session, workspace, monkeypatch, capsys
):
    monkeypatch.setattr(
        "finllm.commands.chat.session.load_models", lambda *_, **__: session.answerers
    )
    adapter = ("--adapter", str(workspace / "models/adapter"))
    command(workspace, *adapter, "--template", "questions")
    printed = capsys.readouterr().out
    assert printed.startswith(templates.wordings("questions")[0]) and "\x1b" not in printed
    assert "base" in printed and "tuned" in printed and "figures: " in printed


def test_what_is_typed_is_asked_until_an_empty_line(session, monkeypatch, capsys):
    typed = iter(["Revenue?", "/questions", "/poetry", "", "never asked"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed))
    chat_command._converse(session, "summarization")
    printed = capsys.readouterr().out
    assert "Revenue?\n(" in printed and templates.wordings("questions")[0] in printed
    assert "template 'poetry'; allowed:" in printed and next(typed) == "never asked"


@pytest.mark.parametrize("ends", [EOFError, KeyboardInterrupt])
def test_the_end_of_the_input_ends_the_talk(session, monkeypatch, capsys, ends):
    def end(_):
        raise ends

    monkeypatch.setattr("builtins.input", end)
    chat_command._converse(session, "summarization")
    printed = capsys.readouterr().out
    assert templates.wordings("summarization")[0] not in printed and "figures: " not in printed


def test_without_a_tuned_model_the_command_says_what_to_do(workspace):
    with pytest.raises(SystemExit, match=r"nowhere: no tuned model; run `dvc repro train`"):
        command(workspace, "--adapter", "nowhere")


# --- how they are shown


def reply(text, known="Revenue grew 12% to $4.2 billion."):
    pieces = tuple(marked(text, [known]))
    counts = {mark: sum(p.mark == mark for p in pieces) for mark in (SUPPORTED, CONTRADICTED,
        INVENTED)}  # fmt: skip
    return Reply(text, pieces, counts, 7, False, 0.5)


ANSWERS = {
    "base": reply("Revenue rose 12%.\nIt was $4.2 million and costs fell 7%."),
    "tuned": reply("Revenue was $4.2 billion."),
}
EXCHANGE = Exchange("summarization", "Summarize:", "", "", 10, ANSWERS)


def test_answers_stand_beside_each_other_within_the_width():
    text = columns.page(EXCHANGE, width=80, colour=False)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines[0].index("tuned")
    assert lines[0].startswith("base") and lines[1][at:] == "Revenue was $4.2 billion."
    assert "$4.2 million[?]" in text and "7%[!]." in text and "12%[" not in text
    assert "1 in the call, 1 with another sign" in " ".join(text.split())


def test_colours_change_no_column():
    plain = columns.page(EXCHANGE, width=80, colour=False).replace("[?]", "").replace("[!]", "")
    coloured = columns.page(EXCHANGE, width=80, colour=True)
    bare = re.sub(r"\x1b\[\d+m", "", coloured)
    assert "\x1b[32m12%\x1b[0m" in coloured and "\x1b[31m7%\x1b[0m" in coloured
    assert "[!]" not in coloured and bare.split() and set(bare.split()) == set(plain.split())
    assert bare.splitlines()[0].index("tuned") == plain.splitlines()[0].index("tuned")


def test_a_narrow_terminal_has_the_answers_below_each_other():
    lines = columns.page(EXCHANGE, width=40, colour=False).splitlines()
    assert lines[0] == "base" and "tuned" in lines[5:] and max(map(len, lines)) <= 40


def test_a_long_word_stands_alone_and_nothing_is_lost():
    text = "a " + "x" * 50 + " b\n\nc"
    rows = columns.lines_of(marked(text, []), 20, signs=False)
    words = [["".join(part for part, _ in word) for word in row] for row in rows]
    assert words == [["a"], ["x" * 50], ["b"], [], ["c"]]
