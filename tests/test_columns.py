"""Gaps between the columns of a text file, which cleaning would close."""

from test_layouts import read, rows

from finllm.corpus import columns, documents

TABLE = (
    "Jane Roe\tGood morning. Sales rose 4%.\nKarl Weber, CFO\tCosts fell.\n"
    "Operator\tOur first question is from John Doe.\nJohn Doe, Avonbridge\tHow is pricing?\n"
    "Jane Roe\tIt is up.\nAnn Lee, Foxley\tAnd wages?\nKarl Weber, CFO\tStable.\n"
)


def test_a_tab_after_a_name_announces_who_speaks(tmp_path):
    (tmp_path / "a.txt").write_text(TABLE)
    assert rows(read(documents.read_document(tmp_path / "a.txt", encoding="utf-8"))) == [
        ("Jane Roe", "executive", "prepared"), ("Karl Weber", "executive", "prepared"),
        ("Operator", "operator", "qa"), ("John Doe", "analyst", "qa"),
        ("Jane Roe", "executive", "qa"), ("Ann Lee", "analyst", "qa"),
        ("Karl Weber", "executive", "qa"),
    ]  # fmt: skip


def test_a_gap_between_a_name_and_a_firm_with_a_title_is_a_dash():
    lines = (
        "Rolf Habben Jessen  Pellworm AG - CEO\n", "Ann Lee  Citadelle Inc., Research Division - VP"
        "\n", "Operator\n", "Jane Roe  Pellworm AG - CFO & Member of the Executive Board\n",
    )  # fmt: skip
    text = "".join(f"{line}We said so at length in the quarter.\n\n" for line in (*lines, *lines))
    called = [turn.speaker for turn in read(columns.marked(text)).turns]
    assert called == ["Rolf Habben Jessen", "Ann Lee", "Operator", "Jane Roe"] * 2


def test_tables_of_figures_and_other_gaps_stay():
    for text in (
        "North America\t5.3\t4.4\nLatin America\t(2.1)\t1.0\nMiddle East\t$3\t2\n",
        "Jane Roe,  Acme Corp - CFO   [2]\n" * 4,
        "Net Sales  rose - by 5%.\n" * 4,
        "Jane Roe\tSales rose.\n" * 2,
    ):
        assert columns.marked(text) == text
