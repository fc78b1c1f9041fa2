"""The demo's steps: fill the inbox, train, file by the daemon's own code, look at the server, file again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

from cubbyd.classify.serial import reason_words
from cubbyd.clock import SystemClock
from cubbyd.config import Config, load_config
from cubbyd.dataset import read_examples
from cubbyd.demo.sample_mail import SampleMail, sample_categories, sample_mails, write_sample
from cubbyd.demo.server import DemoServer
from cubbyd.errors import CubbydError
from cubbyd.filing import PassReport
from cubbyd.journal import Journal, Record, open_database
from cubbyd.lifecycle import State
from cubbyd.message import parse

THRESHOLD = 0.6
MAILBOX = "demo"
LOCAL = f"""[classifier]
model = "cubbyd.model"
threshold = {THRESHOLD}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one sample mail."""

    subject: str
    truth: str | None
    category: str | None
    """Where it was filed; None where it was held."""
    folder: str | None
    probability: float
    reasons: tuple[str, ...]
    hold: str | None
    request_id: str | None
    """Of the call to a hosted classifier; None where none was made."""
    input_tokens: int
    money: float

    @property
    def is_filed(self) -> bool:
        """Tell whether a category was believed."""
        return self.category is not None

    @property
    def is_right(self) -> bool:
        """Tell whether it is where it belongs; a mail that belongs nowhere is right where it is held."""
        return self.category == self.truth


def prepare(server: DemoServer, folder: Path, classifier: str = LOCAL) -> Path:
    """Write the demo's configuration and password into a folder; give the configuration's file."""
    password = folder / "password"
    password.write_text(server.password, encoding="utf-8")
    password.chmod(0o600)
    file = folder / "cubbyd.toml"
    file.write_text(
        f"""# made by `cubbyd demo`
[mailboxes.{MAILBOX}]
host = "{server.host}"
port = {server.port}
security = "plain"
username = "{server.user}"
password_file = "password"
poll_seconds = 10

[filing]
action = "move"
unsure = "review"
backlog = "file"

{classifier}
[state]
directory = "state"

{sample_categories()}""",
        encoding="utf-8",
    )
    return file


def fill(server: DemoServer) -> list[SampleMail]:
    """Deliver the sample mails to the inbox; UIDs follow their order, from the first free one on."""
    mails = sample_mails()
    with IMAPClient(server.host, port=server.port, ssl=False, timeout=30) as client:
        client.login(server.user, server.password)
        for mail in mails:
            client.append("INBOX", mail.raw)
    return mails


def train(folder: Path, config: Config, progress: Callable[[str], None]) -> float:
    """Train the local classifier on the sample examples; give its cross-validated accuracy."""
    from cubbyd.classify.modelfile import save_model
    from cubbyd.training.local import train_local

    examples = list(read_examples(write_sample(folder)))
    model = train_local(examples, config.taxonomy, source="the sample examples", progress=progress)
    save_model(model, config.classifier.model, created=SystemClock().now())
    return model.quality.accuracy


def file_all(config_file: Path, config: Config) -> PassReport:
    """Do one pass, as `cubbyd run --once` does. Raises what broke it off."""
    from cubbyd.service.once import run_once

    outcome = run_once(config_file, config)[MAILBOX]
    if isinstance(outcome, CubbydError):
        raise outcome
    return outcome


def outcomes(config: Config, mails: list[SampleMail]) -> list[Outcome]:
    """Look up in the journal what became of each mail, in the order of the inbox."""
    journal = Journal(open_database(config.state.directory, read_only=True))
    try:
        records = sorted(journal.history(limit=len(mails) + 1), key=lambda record: record.uid)
    finally:
        journal.close()
    return [_outcome(mail, record) for mail, record in zip(mails, records, strict=True)]


def _outcome(mail: SampleMail, record: Record) -> Outcome:
    prediction = record.prediction or {}
    cost = prediction.get("cost", {})
    return Outcome(
        subject=parse(mail.raw).subject or "(no subject)",
        truth=mail.truth,
        category=record.category if record.state is State.FILED else None,
        folder=record.target_folder,
        probability=record.probability or 0.0,
        reasons=reason_words(record.prediction),
        hold=record.hold,
        request_id=prediction.get("request_id"),
        input_tokens=cost.get("input_tokens", 0),
        money=cost.get("money", 0.0),
    )


def folder_counts(server: DemoServer) -> Mapping[str, int]:
    """Ask the server itself how many mails lie in each folder."""
    with IMAPClient(server.host, port=server.port, ssl=False, timeout=30) as client:
        client.login(server.user, server.password)
        names = sorted((name for _, _, name in client.list_folders()), key=lambda name: (name != "INBOX", name.casefold()))
        return {name: client.folder_status(name, ["MESSAGES"])[b"MESSAGES"] for name in names}


def load(config_file: Path) -> Config:
    """Read the demo's configuration, by the same way as any other."""
    return load_config(config_file)
