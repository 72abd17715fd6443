"""Safe files: regular, not through links, of limited size, replaced atomically.

A run directory, a cache or a configuration may come from somebody else, or from a disk that lost
power. So a file is opened only if it is a regular one (no link, pipe, device or directory), and a
replaced file is complete or not there at all.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

#: The most bytes of a JSON or YAML file of ours.
MOST_BYTES = 64 << 20

#: Directories that we make are private to their owner; the umask applies to files inside them.
PRIVATE = 0o700

_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISLNK, "is a link"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class UnusualFileError(OSError):
    """A path is no regular file of an expected size."""

    def __init__(self, path: Path | str, what: str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def open_to_read(path: Path | str, *, follow_links: bool = False, pipes: bool = False) -> BinaryIO:
    """Open a regular file for reading.

    Args:
        path: the file; directories above it may be links.
        follow_links: for files that the user names, not for those found in a directory.
        pipes: take a pipe, too, and wait for its other end: for what the user types, `<(...)`.

    Raises:
        UnusualFileError: it is a link, a pipe, a device or a directory.
        OSError: it is missing or not readable.
    """
    descriptor = _open(path, os.O_RDONLY, follow_links=follow_links, pipes=pipes)
    return os.fdopen(descriptor, "rb", 1 << 20)


def open_to_append(path: Path | str, mode: int = 0o666) -> int:
    """Open, or create, a regular file for appending; return its descriptor.

    Raises:
        UnusualFileError: it is a link or no regular file, or a hard link, through which another
            file would be written.
        OSError: it cannot be written.
    """
    descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise UnusualFileError(path, "has a second name (a hard link): copy it first")
    return descriptor


def open_lock(path: Path | str) -> int:
    """Open, or create, a file that is only locked, never written; return its descriptor.

    Raises:
        UnusualFileError: it is a link or no regular file.
        OSError: it cannot be opened.
    """
    return _open(path, os.O_RDWR | os.O_CREAT)  # NFS locks only what may be written


def _open(
    path: Path | str,
    flags: int,
    mode: int = 0o666,
    *,
    follow_links: bool = False,
    pipes: bool = False,
) -> int:
    flags |= os.O_CLOEXEC | os.O_NOCTTY
    if not pipes:
        flags |= os.O_NONBLOCK  # else a pipe waits for its other end
    if not follow_links:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV):
            with suppress(FileNotFoundError):
                _refuse_unusual(path, os.lstat(path).st_mode)
        raise
    try:
        kind = os.fstat(descriptor).st_mode
        if not (pipes and stat.S_ISFIFO(kind)):
            _refuse_unusual(path, kind)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_unusual(path: Path | str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    what = next((description for is_kind, description in _KINDS if is_kind(mode)), "is no file")
    raise UnusualFileError(path, f"{what}, not a regular file")


def read_file(
    path: Path | str,
    *,
    most: int = MOST_BYTES,
    follow_links: bool = False,
    pipes: bool = False,
) -> bytes:
    """Return the content of a regular file; see :func:`open_to_read`.

    Raises:
        UnusualFileError: it is no regular file, or longer than ``most`` bytes.
        OSError: it is missing or not readable.
    """
    with open_to_read(path, follow_links=follow_links, pipes=pipes) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnusualFileError(path, f"is longer than {most} bytes")
    return content


def read_text(path: Path | str, *, encoding: str = "utf-8", pipes: bool = False) -> str:
    """Return the text of a file that the user or a configuration names; links are followed.

    Raises:
        UnusualFileError: it is no regular file, or too long.
        OSError: it is missing or not readable.
        UnicodeDecodeError: it is no text.
    """
    text = read_file(path, follow_links=True, pipes=pipes).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path | str, *, most: int = MOST_BYTES) -> dict[str, Any] | None:
    """Return a file's JSON object, or None where there is none that can be read."""
    try:
        content = orjson.loads(read_file(path, most=most))
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def replace_file(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace a file as a whole: readers see the old content or the new one.

    A link of that name is replaced, not followed.

    Args:
        path: the file; its directory exists.
        content: the new content.
        durable: whether it must survive a power failure, so that it is written to the disk before
            it gets its name. Not needed for files that can be made again.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    with replacing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing(path: Path, *, durable: bool = True, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a file that replaces another when it is complete; see :func:`replace_file`.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(3).hex()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(fresh, flags, mode), "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh)
        raise
    if durable:
        sync_directory(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes; a signal or a nearly full disk cuts a single write short."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def make_directory(directory: Path) -> None:
    """Create a directory, private to its owner, and missing ones above it.

    Raises:
        OSError: it cannot be created.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    directory.mkdir(PRIVATE, exist_ok=True)


def sync_directory(directory: Path) -> None:
    """Write a directory's entries to the disk; ignore file systems that cannot."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Remove temporary files that a kill left behind; the caller holds the lock."""
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(".new"):
                with suppress(OSError):
                    os.unlink(entry.path)
