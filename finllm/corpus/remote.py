"""Sources behind a URL: files of an object store or another file system that fsspec knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def is_url(path: str) -> bool:
    """Whether the ``path`` of a source.yaml names no folder below it, as in ``s3://bucket``."""
    return "://" in path


def list_urls(url: str, suffixes: tuple[str, ...] = ("",)) -> list[str]:
    """The files at and below a URL with one of the suffixes, relative to it, in a folder's order.

    Of one file its name. Hidden files are left out.

    Raises
    ------
    ValueError
        If the place cannot be reached, or is not there.
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
        raise ValueError(f"{url}: there is no file")
    paths = [PurePosixPath(path).relative_to(top) for path in found]
    kept = [
        path
        for path in paths
        if path.name.lower().endswith(suffixes) and not path.name.startswith(".")
    ]
    return [str(path) for path in sorted(kept, key=_as_walked)]


def copies(url: str, folder: Path, *, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Local copies of the files of ``list_urls`` under their relative names, one at a time.

    Each is removed when the next one is asked for.

    Raises
    ------
    ValueError
        If a file cannot be read: a connection that breaks must not make a smaller corpus.
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
    """Files before folders, as ``os.walk`` gives them, so that a copy of the folder reads alike."""
    return [(True, part) for part in path.parts[:-1]] + [(False, path.name)]


def _opened(url: str) -> tuple:
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except Exception as error:  # an unknown protocol, a client that is not installed, its own ones
        raise _unreachable(url, error) from None


def _unreachable(url: str, error: Exception) -> ValueError:
    said = " ".join(str(error).split())[:400]
    return ValueError(f"{url}: cannot be read ({type(error).__name__}: {said})")
