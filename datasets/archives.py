"""The archives of $DUNLIN_DATA as their members' lines."""
import re
import tarfile


class Bad(Exception):
    """An archive that is not what it should be."""


def members(data, archive, wanted):
    """{path: bytes} of the files of an archive whose path matches."""
    path = data / f"{archive}.tar.xz"
    try:
        with tarfile.open(path, "r:xz") as tar:
            return {m.name: tar.extractfile(m).read() for m in tar if m.isfile() and re.search(wanted, m.name)}
    except FileNotFoundError:
        raise
    except (OSError, tarfile.TarError, EOFError) as error:
        raise Bad(f"{path}: cannot be read: {error}") from error


def lines(files, name):
    if name not in files:
        raise Bad(f"{name}: is not in the archive")
    try:
        return files[name].decode().rstrip("\n").split("\n")
    except UnicodeDecodeError as error:
        raise Bad(f"{name}: is not UTF-8 at byte {error.start + 1}") from error
