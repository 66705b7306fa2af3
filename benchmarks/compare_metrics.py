"""Compare two folders of metrics, ignoring costs.

python -m benchmarks.compare_metrics FOLDER FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

NOT_COMPARED = "costs"  # the folder of seconds, memory and tokens per second


def compared(folder: Path) -> dict[str, bytes]:
    """Return the contents of the files that must be identical, by path in the folder."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*.json"))]
    return {str(x): (folder / x).read_bytes() for x in names if x.parts[0] != NOT_COMPARED}


def main() -> None:
    """Compare the folders file by file and byte by byte."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs=2)
    first, second = map(compared, parser.parse_args().folders)
    names = sorted({*first, *second})
    equal = {name: first.get(name) == second.get(name) for name in names}
    for name in names:
        print(f"{name:<32} {'equal' if equal[name] else 'DIFFERENT'}")
    print(json.dumps({"files": len(equal), "equal": sum(equal.values())}))
    if not names or not all(equal.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
