"""Folder names: from the configuration's levels to the server's spelling. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cubbyd.errors import CommandRefused
from cubbyd.taxonomy import FOLDER_SEPARATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderNames:
    """How this server spells folders: the prefix of the user's own ones, and what separates levels (RFC 2342)."""

    prefix: str = ""
    delimiter: str | None = "/"
    """None where the server knows no levels."""
    inbox: str = "INBOX"
    """The watched inbox, which is named as the server names it."""

    def on_server(self, folder: str) -> str:
        """Spell a folder of the configuration. Raises CommandRefused where the server knows no levels and it has some."""
        if folder == self.inbox:
            return folder
        levels = folder.split(FOLDER_SEPARATOR)
        if len(levels) > 1 and not self.delimiter:
            raise CommandRefused(f"folder {folder!r}: the server knows no folders inside folders; choose a name without /")
        return self.prefix + (self.delimiter or "").join(levels)
