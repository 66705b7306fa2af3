import json
import os
import tracemalloc
from pathlib import Path

import pytest

from finllm.corpus import readers, sources
from finllm.corpus.call_period import normalise_period
from finllm.records import Reject, Transcript

DATA = Path(__file__).parents[1] / "../shared/data"
needs_ectsum = pytest.mark.skipif(
    not (DATA / "ectsum").is_dir(), reason="../shared/data/ectsum is absent"
)
needs_earnings21 = pytest.mark.skipif(
    not (DATA / "earnings21").is_dir(), reason="../shared/data/earnings21 is absent"
)
FIELDS = {"id": "call_id", "text": "transcript", "company": "ticker", "period": "quarter"}
ROW = {"call_id": "a", "transcript": "Sales rose 5%.", "ticker": "ACME", "quarter": "Q3 2021"}
CALL = {
    "id": "acme-1",
    "company": "ACME",
    "period": "2021Q3",
    "sector": "tools",
    "turns": [
        {"speaker": "Operator", "role": "operator", "section": "prepared", "text": "Welcome."},
        {"speaker": "Ann Lee", "role": "executive", "section": "prepared", "text": "Sales rose."},
    ],
    "summary": "sales rose",
}


def write_source(folder: Path, **keys) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source.yaml").write_text(json.dumps(keys))  # JSON is YAML
    return folder


def mapped(folder: Path, form: str, name: str, content: bytes | str, **keys) -> Path:
    write_source(folder, format=form, path="calls", **({"fields": FIELDS} | keys))
    (folder / "calls").mkdir(exist_ok=True)
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / "calls" / name).write_bytes(raw)
    return folder


def lines(*rows: dict | str) -> str:
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)


def read(folder: Path) -> tuple[list[Transcript], list[Reject]]:
    records = list(sources.read_source(folder))
    kept = [record for record in records if isinstance(record, Transcript)]
    return kept, [record for record in records if isinstance(record, Reject)]


def write_ectsum(folder: Path, name: str, text: str, bullets: str | None) -> None:
    for kind, content in (("ects", text), ("gt_summaries", bullets)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        if content is not None:
            (folder / kind / name).write_text(content)


def test_calls_keep_their_turns_and_summary(tmp_path):
    write_source(tmp_path / "sample", format="calls", path="calls.jsonl")
    (tmp_path / "sample" / "calls.jsonl").write_text(lines(CALL))
    (call,), rejects = read(tmp_path / "sample")
    assert not rejects
    assert (call.id, call.company, call.period, call.sector) == (
        "acme-1",
        "ACME",
        "2021Q3",
        "tools",
    )
    assert (call.source, call.summary) == ("sample", "sales rose")
    assert [turn.role for turn in call.turns] == ["operator", "executive"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "no id"),
        ({"summary": 3}, "summary"),
        ({"turns": "words"}, "list"),
        ({"turns": ["words"]}, "turn 1 must be an object"),
        ({"turns": [{"speaker": "x"}]}, "turn 1: no role"),
        ({"turns": [CALL["turns"][0] | {"role": "boss"}]}, "boss"),
    ],
)
def test_a_malformed_call_is_a_reject_that_says_what_is_wrong(tmp_path, change, said):
    write_source(tmp_path, format="calls", path="c.jsonl")
    (tmp_path / "c.jsonl").write_text(lines(CALL | change, CALL))
    kept, (reject,) = read(tmp_path)
    assert [call.id for call in kept] == ["acme-1"]
    assert (reject.reason, reject.line) == ("bad_call", 1)
    assert said in reject.detail


def test_ectsum_gives_ticker_period_and_summary_from_all_splits(tmp_path):
    folder = write_source(tmp_path, format="ectsum", path="data")
    write_ectsum(tmp_path / "data/train", "AB_q4_2020.txt", "One.\nTwo.\n", "eps $1\n")
    write_ectsum(tmp_path / "data/val", "AB_q1_2021.txt", "Three.\n", None)
    kept, rejects = read(folder)
    assert not rejects
    assert [(c.id, c.company, c.period) for c in kept] == [
        ("AB_q4_2020", "AB", "2020Q4"),
        ("AB_q1_2021", "AB", "2021Q1"),
    ]
    assert [c.summary for c in kept] == ["eps $1", None]
    assert kept[0].text == "One.\nTwo.\n"


def test_ectsum_works_where_the_path_holds_ects_itself(tmp_path):
    folder = write_source(tmp_path, format="ectsum", path="part")
    write_ectsum(tmp_path / "part", "AB_q4_2020.txt", "One.", "eps")
    write_ectsum(tmp_path / "part", "oddly-named.txt", "One.", "eps")
    kept, (reject,) = read(folder)
    assert [c.id for c in kept] == ["AB_q4_2020"]
    assert (reject.reason, reject.id) == ("bad_name", "oddly-named")


@pytest.mark.parametrize(
    "header",
    [
        "token|speaker|ts|endTs|punctuation|case|tags|wer_tags",
        "token|speaker|ts|endTs|punctuation|prepunctuation|case|tags",
        "token|speaker|ts|endTs|punctuation|case|tags",
    ],
)
def test_revcom_rebuilds_text_with_and_without_the_optional_columns(tmp_path, header):
    folder = write_source(tmp_path, format="revcom")
    (tmp_path / "nlp").mkdir()
    columns = header.split("|")

    def row(**cells):
        return "|".join(cells.get(column, "") for column in columns)

    tokens = [
        row(token="welcome", speaker="0", case="UC", punctuation=","),
        row(token="all", speaker="0", case="LC", prepunctuation="("),
        row(token="to", speaker="0", case="LC"),
        row(token="third", speaker="0", case="LC"),
        row(token="quarter", speaker="0", case="LC"),
        row(token="2020", speaker="0", case="CA", punctuation="."),
        row(token="ebitda", speaker="1", case="CA"),
        row(token="McCoy", speaker="1", case="MC", punctuation="?"),
    ]
    (tmp_path / "nlp/7.nlp").write_text("\n".join([header, *tokens]) + "\n")
    (tmp_path / "metadata.csv").write_text(
        "file_id,company_name,financial_quarter,sector\n7,Acme Inc,3,Tools\n"
    )
    (tmp_path / "speakers.csv").write_text("file_id,speaker_id,speaker_name\n7,0,Operator\n")
    (call,), rejects = read(folder)
    before = "(all" if "prepunctuation" in columns else "all"
    assert not rejects
    assert call.turns[0].text == f"Welcome, {before} to third quarter 2020."
    assert call.turns[1].text == "EBITDA McCoy?"
    assert [turn.speaker for turn in call.turns] == ["Operator", "Speaker 1"]
    assert (call.company, call.period, call.sector) == ("Acme Inc", "2020Q3", "Tools")


def test_revcom_reads_earnings22_as_it_is_published(tmp_path):
    folder = write_source(tmp_path, format="revcom")
    header = (
        "token|speaker|ts|endTs|punctuation|prepunctuation|case|tags|oldTs|oldEndTs|ali_comment"
    )
    words = ["Third|0", "Quarter|0", "2021|0", "non-|1", "GAAP|1"]
    body = "".join(f"{word}|||||N/A|[]|||del\n" for word in words)
    for place in ("transcripts/nlp_references/9.aligned.nlp", "output/asr/9.nlp"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(f"{header}\n{body}")
    (tmp_path / "metadata.csv").write_text("File ID,Ticker Symbol,Country by Ticker\n9,PAM,X\n")
    (call,), rejects = read(folder)
    assert not rejects
    assert (call.id, call.company, call.period) == ("9", "PAM", "2021Q3")
    assert [turn.text for turn in call.turns] == ["Third Quarter 2021", "non-GAAP"]


def test_revcom_rejects_a_file_whose_rows_are_ragged(tmp_path):
    folder = write_source(tmp_path, format="revcom")
    (tmp_path / "7.nlp").write_text("token|speaker|punctuation|case\nhello|0||LC\nbroken|0\n")
    (tmp_path / "8.nlp").write_text("token|speaker\nhello|0\n")
    _, rejects = read(folder)
    assert [(r.id, r.line, r.reason) for r in rejects] == [
        ("7", 3, "bad_row"),
        ("8", 1, "missing_column"),
    ]


def test_one_mapping_reads_jsonl_json_csv_and_parquet_alike(tmp_path):
    import pandas

    rows = [ROW, ROW | {"call_id": "b", "transcript": 'He said "no",\nthen left.'}]
    frame = pandas.DataFrame(rows)
    frame.to_parquet(tmp_path / "made.parquet")
    content = {
        "jsonl": lines(*rows),
        "json": json.dumps({"data": rows}, indent=1),
        "csv": frame.to_csv(index=False),
        "parquet": (tmp_path / "made.parquet").read_bytes(),
    }
    read_as = {}
    for form, body in content.items():
        kept, rejects = read(mapped(tmp_path / "x" / form / "src", form, f"a.{form}", body))
        assert not rejects
        read_as[form] = kept
    assert [c.id for c in read_as["jsonl"]] == ["a", "b"]
    assert read_as["jsonl"][0].period == "2021Q3"
    assert all(kept == read_as["jsonl"] for kept in read_as.values())


def test_a_dataset_folder_is_read_as_the_hub_would_give_it(tmp_path):
    folder = write_source(tmp_path, format="hub", path="local", fields=FIELDS)
    (tmp_path / "local").mkdir()
    (tmp_path / "local/train.jsonl").write_text(lines(ROW))
    kept, rejects = read(folder)
    assert [call.id for call in kept] == ["a"] and not rejects


def test_a_dataset_that_cannot_be_read_to_its_end_is_an_error(tmp_path):
    folder = write_source(tmp_path, format="hub", path="local", split="dev", fields=FIELDS)
    (tmp_path / "local").mkdir()
    (tmp_path / "local/train.jsonl").write_text(lines(ROW))
    with pytest.raises(ValueError, match="split 'dev'"):
        read(folder)


def test_a_hub_dataset_must_be_pinned_to_a_commit(tmp_path):
    folder = write_source(tmp_path, format="hub", dataset="o/n", revision="main", fields=FIELDS)
    with pytest.raises(ValueError, match="revision 'main'; must be the 40 digits"):
        read(folder)


def test_text_files_take_company_and_period_from_their_names(tmp_path):
    folder = write_source(
        tmp_path, format="text", name_pattern=r"(?P<company>[A-Z]+)_(?P<period>\d{4}Q\d)"
    )
    (tmp_path / "ACME_2021Q3.txt").write_text("Sales rose.")
    (tmp_path / "notes.txt").write_text("Not a call.")
    (call,), (reject,) = read(folder)
    assert (call.id, call.company, call.period) == ("ACME_2021Q3", "ACME", "2021Q3")
    assert reject.reason == "bad_name"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"Sales rose 5\xa0%.", "bad_encoding"),
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "html"),
        (b"\n <HTML lang=en><body>404</body></html>", "html"),
        (b"M\0Z\0\0\0" * 50, "binary"),
    ],
)
def test_a_bad_text_file_costs_that_file(tmp_path, raw, reason):
    folder = write_source(tmp_path, format="text")
    (tmp_path / "bad.txt").write_bytes(raw)
    (tmp_path / "good.txt").write_text("Sales rose.")
    kept, (reject,) = read(folder)
    assert [call.id for call in kept] == ["good"]
    assert (reject.reason, reject.file) == (reason, str(tmp_path / "bad.txt"))


def test_a_named_encoding_reads_what_utf8_cannot(tmp_path):
    folder = write_source(tmp_path, format="text", encoding="cp1252")
    (tmp_path / "a.txt").write_bytes("Sales rose to £5.".encode("cp1252"))
    (call,), _ = read(folder)
    assert call.text == "Sales rose to £5."


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    folder = write_source(tmp_path, format="text")
    (tmp_path / "a.txt").write_bytes("Sales rose.".encode("utf-8-sig"))
    (tmp_path / "b.txt").write_bytes("Sales rose.".encode("utf-16"))
    kept, rejects = read(folder)
    assert [call.text for call in kept] == ["Sales rose."] * 2 and not rejects


def test_a_bad_line_costs_that_line(tmp_path):
    content = b"".join(
        [
            b"\xef\xbb\xbf" + lines(ROW).encode(),
            b'{"call_id": "cut", "transcr\n',
            b"\xff\xfe\xfa\n",
            b"[1, 2]\n",
            b"\n",
            lines(ROW | {"call_id": "b"}, {"call_id": "c", "transcript": "x"}).encode(),
            lines(ROW | {"call_id": "d", "transcript": " "}).encode(),
            lines(ROW | {"call_id": "e", "quarter": "spring"}).encode(),
            lines(ROW | {"call_id": "a"}).encode(),
            lines(ROW | {"call_id": "f", "n": 1}).replace(": 1}", ": " + "9" * 5000 + "}").encode(),
            b'{"call_id": "g", "transcript": "half \\ud83d", "ticker": "x", "quarter": "2021Q1"}\n',
            ("[" * 100_000 + "\n").encode(),
        ]
    )
    kept, rejects = read(mapped(tmp_path, "jsonl", "a.jsonl", content))
    assert [call.id for call in kept] == ["a", "b", "e", "g"]
    assert [(r.line, r.reason) for r in rejects] == [
        (2, "bad_json"),
        (3, "bad_encoding"),
        (4, "bad_json"),
        (7, "missing_field"),
        (8, "empty_text"),
        (10, "duplicate_id"),
        (11, "bad_json"),
        (13, "bad_json"),
    ]
    assert "a.jsonl:1" in rejects[5].detail
    assert kept[2].period == "spring"  # cleaning counts it and leaves it out
    for record in (*kept, *rejects):  # whatever was read can be written
        str(record).encode("utf-8")


def test_a_line_of_100_mb_costs_that_line_and_no_memory(tmp_path):
    folder = mapped(tmp_path, "jsonl", "a.jsonl", lines(ROW))
    with open(folder / "calls/a.jsonl", "ab") as file:
        for _ in range(100):
            file.write(b"x" * 2**20)
        file.write(b"\n" + lines(ROW | {"call_id": "b"}).encode())
    tracemalloc.start()
    kept, (reject,) = read(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [call.id for call in kept] == ["a", "b"]
    assert (reject.reason, reject.line) == ("too_large", 2)
    assert peak < 60 * 2**20


def test_a_text_file_beyond_the_limit_is_a_reject(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_RECORD_BYTES", 100)
    folder = write_source(tmp_path, format="text")
    (tmp_path / "long.txt").write_text("word " * 50)
    (tmp_path / "a.txt").write_text("word")
    _, (reject,) = read(folder)
    assert reject.reason == "too_large" and "250 bytes" in reject.detail


def test_a_truncated_json_file_gives_what_stands_before_the_break(tmp_path):
    whole = json.dumps([ROW, ROW | {"call_id": "b"}, 7, ROW | {"call_id": "c"}], indent=0)
    kept, rejects = read(mapped(tmp_path, "json", "a.json", whole[:-30]))
    assert [call.id for call in kept] == ["a", "b"]
    assert [r.reason for r in rejects] == ["bad_json", "bad_json"]
    assert "the rest of the file was skipped" in rejects[1].detail
    assert [r.line for r in rejects] == [14, 15]


def test_csv_without_a_mapped_column_says_which_is_missing(tmp_path):
    folder = mapped(tmp_path, "csv", "a.csv", "call_id,transcript,ticker\na,Sales rose.,X\n")
    kept, (reject,) = read(folder)
    assert not kept
    assert reject.reason == "missing_column"
    assert "missing column quarter; available: call_id, transcript, ticker" in reject.detail


def test_a_bad_csv_row_costs_that_row(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_RECORD_BYTES", 2000)
    content = (
        b"\xef\xbb\xbfcall_id,transcript,ticker,quarter\n"
        b'a,"Sales, they\nrose",X,2021Q1\n'
        b"b,too few\n"
        b"c,caf\xe9,X,2021Q1\n"
        b"d," + b"x" * 3000 + b",X,2021Q1\n"
        b'e,"bad "quote",X,2021Q1\n'
        b"f,fine,X,2021Q2\n"
    )
    kept, rejects = read(mapped(tmp_path, "csv", "a.csv", content))
    assert [(call.id, call.text) for call in kept] == [("a", "Sales, they\nrose"), ("f", "fine")]
    assert [(r.line, r.reason) for r in rejects] == [
        (4, "bad_csv"),
        (5, "bad_encoding"),
        (6, "too_large"),
        (7, "bad_csv"),
    ]


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
def test_an_html_page_in_place_of_data_costs_that_file(tmp_path, form):
    folder = mapped(tmp_path, form, f"a.{form}", "<html><body>Sign in</body></html>")
    kept, (reject,) = read(folder)
    assert not kept and reject.reason == "html"


def test_a_damaged_parquet_file_costs_that_file(tmp_path):
    folder = mapped(tmp_path, "parquet", "a.parquet", b"PAR1 not really PAR1")
    kept, (reject,) = read(folder)
    assert not kept and reject.reason == "unreadable"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a.txt").write_text("Not yours.")
    folder = write_source(tmp_path / "src", format="text", path="calls")
    (folder / "calls").mkdir()
    (folder / "calls/b.txt").write_text("Sales rose.")
    os.symlink(tmp_path / "secret/a.txt", folder / "calls/a.txt")
    os.symlink(tmp_path / "secret", folder / "calls/more")
    os.symlink("b.txt", folder / "calls/c.txt")
    kept, rejects = read(folder)
    assert [call.id for call in kept] == ["b", "c"]
    assert [r.reason for r in rejects] == ["linked_folder", "link_outside"]


def test_ectsum_does_not_follow_a_summary_out_of_the_folder(tmp_path):
    folder = write_source(tmp_path / "src", format="ectsum", path="d")
    write_ectsum(folder / "d", "AB_q4_2020.txt", "One.", None)
    (tmp_path / "secret").write_text("not yours")
    os.symlink(tmp_path / "secret", folder / "d/gt_summaries/AB_q4_2020.txt")
    kept, (reject,) = read(folder)
    assert not kept and reject.reason == "link_outside"


def test_the_path_itself_may_be_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.txt").write_text("Sales rose.")
    folder = write_source(tmp_path / "src", format="text", path="calls")
    os.symlink(tmp_path / "elsewhere", folder / "calls")
    kept, rejects = read(folder)
    assert [call.id for call in kept] == ["a"] and not rejects


def test_a_dangling_link_costs_that_file(tmp_path):
    folder = write_source(tmp_path, format="text")
    (tmp_path / "a.txt").write_text("Sales rose.")
    os.symlink("gone", tmp_path / "b.txt")
    kept, (reject,) = read(folder)
    assert len(kept) == 1 and reject.reason == "unreadable"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"format": "xml"}, "format 'xml'; allowed: calls"),
        ({}, "format None"),
        ({"format": "text", "path": "../x"}, "path '../x' leaves the folder"),
        ({"format": "text", "path": "/etc"}, "path '/etc' leaves the folder"),
        ({"format": "text", "path": "gone"}, "does not exist"),
        ({"format": "text", "colour": "red"}, "unknown key 'colour'"),
        ({"format": "jsonl"}, "must map at least `text`"),
        ({"format": "jsonl", "fields": {"text": "t", "body": "b"}}, "'body'; allowed:"),
        ({"format": "text", "fields": {"text": "t"}}, "`fields` belongs to"),
        ({"format": "text", "encoding": "utf-9"}, "encoding 'utf-9'"),
        ({"format": "text", "name_pattern": "("}, "name_pattern '('"),
        ({"format": "text"}, "no text records"),
        ({"format": "ectsum"}, "no ectsum records"),
    ],
)
def test_an_unusable_source_is_one_error_in_words(tmp_path, keys, said):
    with pytest.raises(ValueError) as error:
        read(write_source(tmp_path / "src", **keys))
    assert said in str(error.value)
    assert "source.yaml" in str(error.value)


def test_a_missing_folder_and_a_missing_description_are_errors(tmp_path):
    with pytest.raises(ValueError, match="no such source folder"):
        read(tmp_path / "gone")
    with pytest.raises(ValueError, match="source.yaml: missing"):
        read(tmp_path)
    (tmp_path / "source.yaml").write_text("format: [")
    with pytest.raises(ValueError, match="not valid YAML"):
        read(tmp_path)


def test_too_many_rejects_stop_the_run_and_few_do_not():
    html = Reject("a", "a.csv", 0, "html", "an HTML page, not transcripts")
    column = Reject("b", "b.csv", 1, "missing_column", "missing column words; available: id, text")
    sources.check_reject_share([html], 10, 0.1)
    with pytest.raises(ValueError, match=r"3 of 10 records are bad \(30.0%\)") as error:
        sources.check_reject_share([html, column, column], 10, 0.1, where="rejects.jsonl")
    assert "2 missing_column (and 1 of other kinds), such as b.csv, line 1" in str(error.value)
    assert "missing column words; available: id, text. All are in rejects.jsonl" in str(error.value)
    with pytest.raises(ValueError, match="nothing was read"):
        sources.check_reject_share([], 0, 0.1)


@pytest.mark.parametrize(
    ("value", "period"),
    [
        ("2021Q3", "2021Q3"),
        ("2021-Q3", "2021Q3"),
        ("q3_2021", "2021Q3"),
        ("3Q 2021", "2021Q3"),
        ("Q3 FY2021", "2021Q3"),
        ("Q3 FY21", "2021Q3"),
        ("3Q21", "2021Q3"),
        ("Third Quarter of Fiscal 2021", "2021Q3"),
        ("2021-07-30 00:00:00", "2021Q3"),
        ("", ""),
        (None, ""),
        ("2021", None),
        ("Q5 2021", None),
    ],
)
def test_periods_are_read_as_people_write_them(value, period):
    assert normalise_period(value) == period


@needs_ectsum
def test_ectsum_reads_whole(tmp_path):
    folder = write_source(tmp_path / "src", format="ectsum", path="calls")
    os.symlink((DATA / "ectsum").resolve(), folder / "calls")
    kept, rejects = read(folder)
    assert len(kept) == 1681 + 249 and not rejects
    assert all(call.summary and call.company and call.period for call in kept)


@needs_earnings21
def test_earnings21_reads_whole(tmp_path):
    folder = write_source(tmp_path / "src", format="revcom", path="calls")
    os.symlink((DATA / "earnings21").resolve(), folder / "calls")
    kept, rejects = read(folder)
    assert len(kept) == 33 and not rejects
    assert sum(len(call.turns) for call in kept) > 2000
    assert all(call.company and call.sector for call in kept)


def test_several_sources_follow_each_other_and_a_taken_id_is_a_reject(tmp_path):
    for name, rows in (("one", [CALL]), ("two", [CALL, {**CALL, "id": "acme-2"}])):
        folder = write_source(tmp_path / name, format="calls", path="calls.jsonl")
        (folder / "calls.jsonl").write_text(lines(*rows))
    first, taken, last = sources.read_sources([tmp_path / "one", tmp_path / "two"])
    assert (first.id, first.source) == ("acme-1", "one")
    assert isinstance(taken, Reject) and taken.reason == "duplicate_id" and "one" in taken.detail
    assert (last.id, last.source) == ("acme-2", "two")
    alone = list(sources.read_sources([tmp_path / "two"]))
    assert [record.id for record in alone] == ["acme-1", "acme-2"]
