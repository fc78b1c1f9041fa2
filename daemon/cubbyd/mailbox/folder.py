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

    def in_configuration(self, name: str) -> str:
        """Spell a folder of the server as the configuration would; one that is not among the user's own keeps its name."""
        if name == self.inbox or not name.startswith(self.prefix):
            return name
        own = name.removeprefix(self.prefix)
        return own.replace(self.delimiter, FOLDER_SEPARATOR) if self.delimiter else own
