"""The copies for Git: the same bytes under the same path, and a missing file is an error."""

import sys

import pytest

from stages import publish


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Run the stage in an empty folder, beside results of two files and a folder."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "data" / "results"
    for path in ("metrics/details/train.json", "plots/loss.csv", "plots/training/val/loss.tsv"):
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).write_bytes(path.encode() + b"\r\n\xff")

    def run(*paths):
        monkeypatch.setattr(sys, "argv", ["publish", "--results", "data/results", *paths])
        return publish.main()

    return run


def test_files_and_folders_are_copied_to_the_same_path_and_no_others(copy, tmp_path):
    stale = tmp_path / "data" / "results" / "metrics" / "details" / "of_another_branch.json"
    stale.write_text("{}")
    said = copy("metrics/details/train.json", "plots/training")
    assert said == "2 files for Git, in metrics, plots"
    found = {str(x.relative_to(tmp_path)) for x in tmp_path.rglob("*") if x.is_file()}
    found = {name for name in found if not name.startswith("data/")}
    assert found == {"metrics/details/train.json", "plots/training/val/loss.tsv"}
    for name in found:
        assert (tmp_path / name).read_bytes() == name.encode() + b"\r\n\xff"


def test_the_copy_of_a_read_only_link_into_the_cache_can_be_edited(copy, tmp_path):
    file = tmp_path / "data" / "results" / "plots" / "loss.csv"
    cached = tmp_path / "data" / "cached"
    file.rename(cached)
    cached.chmod(0o444)
    file.symlink_to(cached)
    copy("plots/loss.csv")
    made = tmp_path / "plots" / "loss.csv"
    assert not made.is_symlink() and made.stat().st_mode & 0o200
    assert made.read_bytes() == cached.read_bytes()


def test_a_missing_result_is_an_error_that_names_it(copy):
    with pytest.raises(FileNotFoundError, match="data/results/metrics/details/split.json"):
        copy("metrics/details/split.json")
