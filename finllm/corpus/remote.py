"""Read sources at a URL: files in an object store or another file system that fsspec supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def is_url(path: str) -> bool:
    """Return whether the ``path`` of a source.yaml is a URL, such as ``s3://bucket``."""
    return "://" in path


def list_urls(url: str, suffixes: tuple[str, ...] = ("",)) -> list[str]:
    """List the files at or below a URL with one of the suffixes, relative to it, in walk order.

    The order is that of ``os.walk`` with sorted names. The URL of a single file gives its name.
    Hidden files are left out.

    Raises
    ------
    ValueError
        If the place cannot be reached, or has no file.
    """
    fs, root = _opened(url)
    try:
        found = fs.find(root)
        top = PurePosixPath(root)
        if found == [root] and not fs.isdir(root):
            top = top.parent
    except Exception as error:  # whatever the store's client raises
        raise _unreachable(url, error) from None
    if not found:
        raise ValueError(f"{url}: no files found")
    paths = [PurePosixPath(path).relative_to(top) for path in found]
    kept = [
        path
        for path in paths
        if path.name.lower().endswith(suffixes) and not path.name.startswith(".")
    ]
    return [str(path) for path in sorted(kept, key=_as_walked)]


def copies(url: str, folder: Path, *, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield local copies of the files of ``list_urls`` under their relative names, one at a time.

    Each copy is removed when the next one is requested.

    Raises
    ------
    ValueError
        If a file cannot be read: a broken connection must not lead to a smaller corpus.
    """
    fs, root = _opened(url)
    for name in list_urls(url, suffixes):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fs.get_file(f"{root}/{name}" if fs.isdir(root) else root, str(path))
        except Exception as error:
            raise _unreachable(url, error) from None
        yield path
        path.unlink()


def _as_walked(path: PurePosixPath) -> list[tuple[bool, str]]:
    """Return a sort key that puts files before folders, as ``os.walk`` does for a local folder."""
    return [(True, part) for part in path.parts[:-1]] + [(False, path.name)]


def _opened(url: str) -> tuple:
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except Exception as error:  # unknown protocol, client not installed, errors of the client
        raise _unreachable(url, error) from None


def _unreachable(url: str, error: Exception) -> ValueError:
    said = " ".join(str(error).split())[:400]
    return ValueError(f"{url}: cannot be read ({type(error).__name__}: {said})")
