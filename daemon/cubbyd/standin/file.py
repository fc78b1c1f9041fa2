"""/files: uploads, and what jobs and batches write, in memory; gone with the server.

A wrong line is refused at once and with its number. The API refuses some of these when they are uploaded, and tells of the
rest when a job or a batch looks into the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cubbyd.standin.endpoint import Body, Call, Endpoint, Numbers, Refused, now, page
from cubbyd.standin.line import read_lines
from cubbyd.standin.upload import Upload, read_form

LARGEST_PAGE: Final = 10_000
SHORTEST_LIFE: Final = 3600
LONGEST_LIFE: Final = 2_592_000
BATCH_LIFE: Final = LONGEST_LIFE
"""Seconds that a batch file lives where nothing else was asked for; other files stay until they are deleted."""
LINED: Final = frozenset({"batch", "fine-tune"})

_FILE: Final = "openai.types:FileObject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One file."""

    described: Body
    content: bytes


class Files:
    """All files."""

    def __init__(self, numbers: Numbers) -> None:
        """Begin with none."""
        self._numbers = numbers
        self._files: dict[str, Stored] = {}

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Give the endpoints."""
        return (
            Endpoint(
                method="POST",
                path="/files",
                handle=self._create,
                request="openai.types.file_create_params:FileCreateParams",
                read=read_form,
                answer=_FILE,
            ),
            Endpoint(
                method="GET",
                path="/files",
                handle=self._list,
                query="openai.types.file_list_params:FileListParams",
                answer=_FILE,
                is_list=True,
            ),
            Endpoint(
                method="GET",
                path="/files/{file_id}",
                handle=lambda call: self.get(call.names["file_id"]).described,
                answer=_FILE,
            ),
            Endpoint(
                method="GET", path="/files/{file_id}/content", handle=lambda call: self.get(call.names["file_id"]).content
            ),
            Endpoint(method="DELETE", path="/files/{file_id}", handle=self._delete, answer="openai.types:FileDeleted"),
        )

    def add(self, filename: str, content: bytes, purpose: str, seconds: int | None = None) -> str:
        """Keep a file, for so many seconds or for ever; give its id."""
        created = now()
        name = self._numbers.make("file-", 22)
        self._files[name] = Stored(
            described={
                "id": name,
                "object": "file",
                "bytes": len(content),
                "created_at": created,
                "filename": filename,
                "purpose": purpose,
                "status": "processed",
            }
            | ({} if seconds is None else {"expires_at": created + seconds}),
            content=content,
        )
        return name

    def get(self, name: str, *, param: str = "id", status: int = 404, purpose: str = "") -> Stored:
        """Give a file. Raises Refused where there is none, or where it was uploaded for another purpose."""
        found = self._files.get(name)
        if found is None:
            raise Refused(f"No such File object: {name}", status=status, param=param)
        if purpose and found.described["purpose"] != purpose:
            message = f"File '{name}' has the purpose '{found.described['purpose']}'; expected '{purpose}'."
            raise Refused(message, param=param, code="invalid_file_purpose")
        return found

    def expire(self) -> None:
        """Let every file that has a day of expiry reach it."""
        self._files = {name: file for name, file in self._files.items() if "expires_at" not in file.described}

    @property
    def names(self) -> list[str]:
        """The ids of all files, oldest first."""
        return list(self._files)

    def lines(self, name: str) -> list[Body]:
        """Read the lines of a file, which were found right when it came in. Raises Refused where it was deleted since."""
        stored = self.get(name)
        return read_lines(stored.content, stored.described["purpose"])

    def _create(self, call: Call) -> Body:
        upload, purpose = call.body["file"], call.body["purpose"]
        if not isinstance(upload, Upload):
            raise Refused("'file' must be a file with a name.", param="file", code="invalid_type")
        if purpose in LINED:
            read_lines(upload.content, purpose)
        seconds = call.body.get("expires_after", {}).get("seconds", BATCH_LIFE if purpose == "batch" else None)
        check_life(seconds, "expires_after")
        return self._files[self.add(upload.filename, upload.content, purpose, seconds)].described

    def _list(self, call: Call) -> Body:
        wanted = call.query.get("purpose")
        found = [file.described for file in self._files.values() if wanted in {None, file.described["purpose"]}]
        return page(found if call.query.get("order") == "asc" else found[::-1], call, LARGEST_PAGE, LARGEST_PAGE)

    def _delete(self, call: Call) -> Body:
        name = self.get(call.names["file_id"]).described["id"]
        del self._files[name]
        return {"id": name, "object": "file", "deleted": True}


def check_life(seconds: int | None, param: str) -> None:
    """Hold the seconds after which a file expires against the API's limits. Raises Refused."""
    if seconds is not None and not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        message = f"Invalid '{param}.seconds': expected a value from {SHORTEST_LIFE} to {LONGEST_LIFE}, but got {seconds}."
        raise Refused(message, param=param, code="integer_out_of_range")
