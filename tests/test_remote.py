"""Sources behind a URL: an object store in memory in the place of s3://."""

import json
from pathlib import Path

import fsspec
import pytest

from finllm.corpus.description import describe_source
from finllm.corpus.remote import list_urls
from finllm.corpus.sources import read_source
from finllm.records import Reject

CALL = "Revenue grew 12% to $4.2 billion. Operator, next question please. Margins fell."


@pytest.fixture
def store():
    """An empty store at ``memory://``."""
    found = fsspec.filesystem("memory")
    yield found
    found.rm("/", recursive=True)


def source(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "source.yaml").write_text(text, encoding="utf-8")
    return folder


def lines(prefix):
    rows = [{"id": f"{prefix}{i}", "text": CALL, "company": prefix} for i in range(3)]
    return "".join(json.dumps(row) + "\n" for row in rows) + "no json\n"


def test_json_lines_behind_a_url_are_read_as_those_of_a_folder(store, tmp_path):
    described = "format: jsonl\nfields: {id: id, text: text, company: company}\npath: "
    for name in ("b.jsonl", "a/z.jsonl", "a/b/c.jsonl", ".hidden.jsonl", "notes.txt"):
        local = tmp_path / "mine" / "calls" / name
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_text(lines(local.stem), encoding="utf-8")
        store.pipe_file(f"/bucket/calls/{name}", local.read_bytes())
    here = list(read_source(source(tmp_path / "mine", described + "calls\n")))
    there = list(read_source(source(tmp_path / "mine", described + "memory://bucket/calls\n")))
    assert len(there) == 12 and [x for x in here if not isinstance(x, Reject)] == [
        x for x in there if not isinstance(x, Reject)
    ]
    rejects = [(x.file, x.line, x.reason) for x in there if isinstance(x, Reject)]
    assert rejects[0] == ("memory://bucket/calls/b.jsonl", 4, "bad_json")
    local = [x.file for x in here if isinstance(x, Reject)]
    base = str(tmp_path / "mine" / "calls")
    assert [x.replace(base, "memory://bucket/calls") for x in local] == [x for x, *_ in rejects]


def test_a_folder_of_texts_behind_a_url_names_its_calls_by_their_place(store, tmp_path):
    store.pipe_file("/bucket/ACME/2021Q3.txt", CALL.encode())
    store.pipe_file("/bucket/empty.txt", b"")
    folder = source(tmp_path / "mine", "format: text\npath: memory://bucket\n")
    bad, call = list(read_source(folder))
    assert call.id == "ACME/2021Q3" and call.text == CALL
    assert (bad.reason, bad.file) == ("empty", "memory://bucket/empty.txt")


def test_one_file_is_a_source_and_nothing_is_left_of_its_copy(store, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    store.pipe_file("/bucket/calls.jsonl", lines("a").encode())
    fields = "fields: {id: id, text: text}"
    text = f"format: jsonl\n{fields}\npath: memory://bucket/calls.jsonl\n"
    assert len(list(read_source(source(tmp_path / "mine", text)))) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list_urls("memory://bucket/calls.jsonl") == ["calls.jsonl"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://bucket/nothing", "memory://bucket/nothing: no files found"),
        ("s4://bucket", "s4://bucket: cannot be read .*s4"),
    ],
)
def test_a_url_that_cannot_be_read_is_one_sentence(store, tmp_path, url, said):
    folder = source(tmp_path / "mine", f"format: text\npath: {url}\n")
    with pytest.raises(ValueError, match=said) as caught:
        list(read_source(folder))
    assert "\n" not in str(caught.value)


def test_a_connection_that_breaks_makes_no_smaller_corpus(store, tmp_path, monkeypatch):
    for name in "ab":
        store.pipe_file(f"/bucket/{name}.txt", CALL.encode())
    folder = source(tmp_path / "mine", "format: text\npath: memory://bucket\n")
    get, seen = type(store).get_file, []

    def break_at_the_second(self, there, here, **options):
        seen.append(there)
        if len(seen) == 2:
            raise ConnectionResetError("reset by peer")
        return get(self, there, here, **options)

    monkeypatch.setattr(type(store), "get_file", break_at_the_second)
    with pytest.raises(ValueError, match="cannot be read .*reset by peer"):
        list(read_source(folder))


def test_a_format_that_is_read_by_its_folders_takes_no_url(tmp_path):
    folder = source(tmp_path / "mine", "format: ectsum\npath: s3://bucket\n")
    with pytest.raises(ValueError, match="ectsum is read from a local folder only"):
        describe_source(Path(folder))
