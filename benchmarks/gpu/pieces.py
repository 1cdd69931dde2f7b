"""A folder of files in pieces that are small enough to be sent, with a checksum for each, and the way back.

The files go into one tar file, which is cut. Only the standard library is used, because the machine that puts the
pieces together may have nothing else yet.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

CHECKSUMS = "SHA256SUMS"
"""File with a line for each piece, as the command sha256sum writes and checks it."""
MOST_BYTES = 45_000_000
ARCHIVE = "pack.tar"


class PiecesDamaged(Exception):
    """A piece is missing or differs from its checksum. The message is one line that names it."""


def cut(source: Path, folder: Path, most_bytes: int = MOST_BYTES) -> list[Path]:
    """Write the files of a folder in pieces of at most so many bytes to another folder, in place of earlier pieces.

    The folder holds no other folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in [*folder.glob(f"{ARCHIVE}*"), folder / CHECKSUMS]:
        earlier.unlink(missing_ok=True)
    whole = folder / ARCHIVE
    with tarfile.open(whole, "w") as archive:
        for path in sorted(source.iterdir()):
            archive.add(path, path.name)
    pieces, lines = [], []
    with whole.open("rb") as content:
        while data := content.read(most_bytes):
            piece = folder / f"{ARCHIVE}.{len(pieces):02d}"
            piece.write_bytes(data)
            pieces.append(piece)
            lines.append(f"{hashlib.sha256(data).hexdigest()}  {piece.name}\n")
    whole.unlink()
    (folder / CHECKSUMS).write_text("".join(lines))  # last: pieces that are not all there have no checksums
    return pieces


def join(folder: Path, target: Path) -> None:
    """Verify the pieces in a folder, and unpack their files to another one.

    Raises:
        PiecesDamaged: when a piece is missing or has another checksum, or what is packed is more than files.
    """
    whole = target / ARCHIVE
    with whole.open("wb") as content:
        for line in (folder / CHECKSUMS).read_text().splitlines():
            digest, name = line.split()
            piece = folder / name
            if not piece.is_file():
                raise PiecesDamaged(f"{piece} is missing; bring it as well")
            data = piece.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise PiecesDamaged(f"{piece} is damaged ({len(data):,} bytes of it are here); bring it again")
            content.write(data)
    with tarfile.open(whole) as archive:
        for member in archive:  # Python before 3.11.4 has no filter for what is unpacked: plain files alone are written
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or Path(member.name).name != member.name:
                raise PiecesDamaged(f"{member.name} is no plain file of the folder that was packed; pack it again")
            (target / member.name).write_bytes(content.read())
    whole.unlink()
