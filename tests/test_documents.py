"""HTML pages, PDFs and bad files of a folder of calls: text, or a reject with its reason."""

import html
import socket
import textwrap
import threading
from pathlib import Path

import pytest
from pdf_file import write_pdf

from finllm.corpus import documents
from finllm.corpus.cleaning import cleaner
from finllm.corpus.intake import Intake
from finllm.corpus.sources import read_source
from finllm.records import Reject

CASES = Path(__file__).parent / "transcripts"


def page(text: str, *, head: str = "", foot: str = "") -> str:
    blocks = "".join(f"<p>{html.escape(part)}</p>\n" for part in text.split("\n\n"))
    return (
        f"<!DOCTYPE html><html><head>{head}<title>Transcript</title></head><body>"
        f"<nav><a href='/'>Home</a></nav><article>{blocks}</article>{foot}</body></html>"
    )


def read(path: Path) -> str | Reject:
    return documents.read_document(path, encoding="utf-8")


def test_a_page_gives_its_article_a_block_a_line(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(page((CASES / "motley_fool.txt").read_text(), foot="<footer>Terms</footer>"))
    lines = read(path).split("\n")
    assert lines[:2] == [
        "Transcript",
        "Acme Corp (NYSE: ACM) Q3 2023 Earnings Call Oct 25, 2023, 8:30 a.m. ET",
    ]
    assert "Mary Major -- Vice President, Investor Relations" in lines
    assert "Home" not in lines and "Terms" not in lines


def test_names_in_bold_and_lines_broken_in_the_source_are_read_as_they_look():
    text = documents.html_text(
        "<body><p><strong>Jane Roe</strong> -- <em>Chief Financial\nOfficer</em></p>"
        "<p>Sales<br>rose</p><table><tr><td>a</td><td>b</td></tr></table><pre>x\ny</pre></body>"
    )
    assert text.split("\n") == [
        "Jane Roe -- Chief Financial Officer", "Sales", "rose", "a", "b", "x", "y",
    ]  # fmt: skip


SAID = [
    ("Operator", "Good day, and welcome to the third quarter call of Acme."),
    ("Mary Major", "Thank you, operator, and good morning to everyone."),
    ("Operator", "Our first question comes from the line of John Doe."),
    ("John Doe", "Hi, and thanks for taking my question on pricing."),
]


@pytest.mark.parametrize(
    "row",
    [
        "<tr><td>{}</td><td>{}</td></tr>",
        "<tr><td> {}: </td>\n<td>{}</td></tr>",
        "<dt>{}</dt><dd>{}</dd>",
        "<div><span class=who>{}</span><span>{}</span></div>",
        "<div><div>{}</div>\n<div>{}</div></div>",
    ],
)
def test_a_name_in_a_column_of_its_own_announces_who_speaks(row):
    text = documents.html_text("<body>" + "".join(row.format(*said) for said in SAID) + "</body>")
    assert text.split("\n") == [f"{name}: {words}" for name, words in SAID]


def test_a_table_of_figures_and_an_address_announce_nobody():
    rows = "<tr><td>Revenue in 2023</td><td>$ 412.3 million and growing fast</td></tr>"
    cells = "<tr><td>Revenue</td><td>412.3</td></tr><tr><td>A</td><td>b c d e f</td><td>g</td></tr>"
    text = documents.html_text(f"<table>{rows}{cells}</table>")
    assert ":" not in text and text.split("\n")[:2] == [
        "Revenue in 2023",
        "$ 412.3 million and growing fast",
    ]


def test_words_that_only_a_style_separates_are_apart_and_pieces_of_a_word_are_not():
    spans = "".join(f"<span>{name}</span><span>{words}</span>" for name, words in SAID)
    expected = [part for said in SAID for part in said]
    assert documents.html_text(f"<body>{spans}</body>").split("\n") == expected
    pieces = (
        "<p><span>Reve</span><span>nue</span> of <b>e</b><i>Bay</i> and <b>Q</b><span>3</span></p>"
    )
    assert documents.html_text(pieces) == "Revenue of eBay and Q3"


def test_scripts_styles_and_comments_are_no_text():
    text = documents.html_text(
        "<body><script>document.write('<p>Operator</p>')</script><style>p {}</style>"
        "<!-- Jane Roe --><noscript>Enable scripts</noscript><p>Sales rose.</p></body>"
    )
    assert text == "Sales rose."


def test_nothing_is_fetched_and_no_entity_is_read(tmp_path):
    calls = []
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)

    def listen():
        try:
            server.accept()
            calls.append(1)
        except TimeoutError:
            pass

    thread = threading.Thread(target=listen)
    thread.start()
    at = f"http://127.0.0.1:{server.getsockname()[1]}"
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    path = tmp_path / "a.html"
    path.write_text(
        f'<!DOCTYPE html SYSTEM "{at}/x.dtd" [<!ENTITY x SYSTEM "file://{secret}">]>'
        f"<html><head><link rel=stylesheet href='{at}/a.css'><script "
        f"src='{at}/a.js'></script></head>"
        f"<body><p>&x; {'Sales rose. ' * 20}</p><img src='{at}/a.png'></body></html>"
    )
    text = read(path)
    thread.join()
    server.close()
    assert "Sales rose." in text and "not yours" not in text and not calls


def test_the_encoding_that_a_page_names_is_used(tmp_path):
    text = (CASES / "motley_fool.txt").read_text().replace("Jane", "Ren\u00e9e")
    path = tmp_path / "a.html"
    path.write_bytes(page(text, head="<meta charset='windows-1252'>").encode("cp1252"))
    assert "Ren\u00e9e Roe -- Chief Financial Officer" in read(path)
    path.write_bytes(page(text).encode("cp1252"))
    assert read(path).reason == "bad_encoding"


def test_utf16_is_read_where_its_mark_says_so_and_else_named_in_the_reject(tmp_path):
    text = (CASES / "motley_fool.txt").read_text()
    (tmp_path / "a.html").write_bytes(page(text).encode("utf-16"))
    assert "Jane Roe -- Chief Financial Officer" in read(tmp_path / "a.html")
    (tmp_path / "a.txt").write_bytes(text.encode("utf-16-be"))
    bad = read(tmp_path / "a.txt")
    assert bad.reason == "bad_encoding" and "utf-16-be" in bad.detail


def pdf_of(path: Path, text: str, *, n_lines: int = 16) -> None:
    lines = [row for line in text.split("\n") for row in textwrap.wrap(line, 90)]
    pages = [lines[i : i + n_lines] for i in range(0, len(lines), n_lines)]
    write_pdf(path, [["Acme Earnings Call", *p, f"Page {n}"] for n, p in enumerate(pages, 1)])


@pytest.mark.parametrize("name", ["motley_fool", "capital_iq", "seeking_alpha"])
def test_a_pdf_with_a_text_layer_gives_the_turns_of_its_text(tmp_path, name):
    pdf_of(tmp_path / "a.pdf", (CASES / f"{name}.txt").read_text())
    (tmp_path / "b.txt").write_text((CASES / f"{name}.txt").read_text())
    (tmp_path / "source.yaml").write_text("format: text\n")
    one, other = read_source(tmp_path)
    clean = cleaner(
        repair_mojibake=True, infer_turns=True, removable=(), standardise_notation=False,
        company_for_missing="id",
    )  # fmt: skip
    import json

    rows = [json.loads(line) for line in clean([one, other]).lines]
    said = [[(t["speaker"], t["role"], t["section"], t["text"]) for t in r["turns"]] for r in rows]
    flat = [[(*row[:3], " ".join(row[3].split())) for row in turns] for turns in said]
    assert flat[0] == flat[1]
    assert rows[0]["layout"] == name


BAD = {
    "scan.pdf": ("no_text_layer", "OCR"),
    "torn.pdf": ("bad_pdf", "Stream"),
    "no.pdf": ("bad_pdf", "%PDF-"),
    "word.docx": ("unreadable", "save it as text, HTML or PDF"),
    "rows.csv": ("unreadable", "not read with `format: text`"),
    "api.json": ("unreadable", "keep them in another folder"),
    "menu.html": ("html", "words outside menus and scripts; not a transcript"),
    "deep.html": ("bad_html", "nested too deeply"),
    "cp1252.txt": ("bad_encoding", "source.yaml can set `encoding`"),
    "nul.txt": ("binary", "NUL"),
    "void.txt": ("empty", "no text"),
    "long.txt": ("too_large", "at most"),
}


def test_every_file_of_a_mixed_folder_is_a_call_or_a_reject_with_its_reason(tmp_path):
    for name in ("motley_fool", "factset", "capital_iq", "name_colon", "seeking_alpha"):
        (tmp_path / f"{name}.txt").write_text((CASES / f"{name}.txt").read_text())
    write_pdf(tmp_path / "scan.pdf", [[], [], []])
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.4\nnothing here")
    (tmp_path / "no.pdf").write_bytes(b"hello")
    (tmp_path / "word.docx").write_bytes(b"PK\3\4")
    (tmp_path / "rows.csv").write_text("id,text\n1,Sales rose\n")
    (tmp_path / "api.json").write_text("[]")
    (tmp_path / "menu.html").write_text("<html><script>" + "a b " * 999 + "</script><nav>x</nav>")
    (tmp_path / "deep.html").write_text("<html>" + "<div>" * 100_000 + "words " * 50)
    (tmp_path / "cp1252.txt").write_bytes("Sales rose to \u00a35.".encode("cp1252"))
    (tmp_path / "nul.txt").write_bytes(b"MZ\0\0" * 99)
    (tmp_path / "void.txt").write_text(" \n")
    (tmp_path / "long.txt").write_text("word " * 3_400_000)
    (tmp_path / "source.yaml").write_text("format: text\n")
    intake = Intake()
    clean = cleaner(
        repair_mojibake=True, infer_turns=True, removable=(), standardise_notation=False,
        company_for_missing="id",
    )  # fmt: skip
    n_kept = len(list(intake.lines([clean(list(read_source(tmp_path)))])))
    found = {Path(r.file).name: (r.reason, r.detail) for r in intake.rejects}
    assert found.keys() == BAD.keys()
    for name, (reason, words) in BAD.items():
        assert found[name][0] == reason and words in found[name][1], name
    metrics = intake.metrics(n_kept)
    assert metrics["records_read"] == 17 == metrics["kept"] + metrics["rejected"]
    assert metrics["by_layout"] == dict.fromkeys(
        ("capital_iq", "factset", "motley_fool", "name_colon", "seeking_alpha"), 1
    )


def test_calls_of_one_ticker_are_of_one_company_however_their_heads_spell_it(tmp_path):
    text = (CASES / "motley_fool.txt").read_text()
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "b.txt").write_text(text.replace("Acme Corp (", "ACME Corporation ("))
    (tmp_path / "source.yaml").write_text("format: text\n")
    intake = Intake()
    clean = cleaner(
        repair_mojibake=True, infer_turns=True, removable=(), standardise_notation=False,
        company_for_missing="id",
    )  # fmt: skip
    lines = list(intake.lines([clean([one]) for one in read_source(tmp_path)]))
    assert all('"company": "Acme Corp"' in line for line in lines) and len(lines) == 2
    assert intake.counts["companies_joined_by_ticker"] == 1
