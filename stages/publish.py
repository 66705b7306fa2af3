"""Copy the results of the other stages from DVC's cache to files in Git."""

import argparse
import os
import shutil
from pathlib import Path

from stages import adapter


def main() -> str:
    """Copy files and folders byte by byte from the folder of results to the same paths outside."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("paths", type=Path, nargs="+")
    at = parser.parse_args()
    found = [file for path in at.paths for file in files(at.results / path)]
    for file in found:
        target = file.relative_to(at.results)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(target.name + ".tmp")
        shutil.copyfile(file, temporary)  # without its mode: files linked by DVC are read-only
        os.replace(temporary, target)
    folders = ", ".join(sorted({path.parts[0] for path in at.paths}))
    return f"{len(found)} files for Git, in {folders}"


def files(path: Path) -> list[Path]:
    """Return the file itself, or all files in the folder."""
    return [x for x in sorted(path.rglob("*")) if x.is_file()] if path.is_dir() else [path]


if __name__ == "__main__":
    adapter.run(main)
