"""Whether two folders of metrics say the same, apart from what they cost.

python -m benchmarks.compare_metrics FOLDER FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

NOT_COMPARED = ("timing", "cost")


def without_cost(value: object) -> object:
    """The metrics without everything under a key that names a cost."""
    if isinstance(value, dict):
        return {k: without_cost(v) for k, v in value.items() if k not in NOT_COMPARED}
    return value


def main() -> None:
    """Compare file by file, by the bytes of what is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs=2)
    first, second = parser.parse_args().folders
    names = sorted({path.name for folder in (first, second) for path in folder.glob("*.json")})
    equal = {}
    for name in names:
        texts = [
            json.dumps(without_cost(json.loads((folder / name).read_text())), sort_keys=True)
            if (folder / name).is_file()
            else None
            for folder in (first, second)
        ]
        equal[name] = texts[0] == texts[1]
        print(f"{name:<24} {'equal' if equal[name] else 'DIFFERENT'}")
    print(json.dumps({"files": len(equal), "equal": sum(equal.values())}))
    if not names or not all(equal.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
