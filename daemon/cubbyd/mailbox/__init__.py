"""The mailbox: IMAP, behind a protocol of our own. imapclient is known nowhere else."""

from cubbyd.mailbox.connect import Account
from cubbyd.mailbox.pause import Pauses
from cubbyd.mailbox.protocol import Capabilities, FolderStatus, Mailbox, RawMessage, TokenSource
from cubbyd.mailbox.session import open_mailbox
from cubbyd.mailbox.watch import IdleWatcher

__all__ = [
    "Account",
    "Capabilities",
    "FolderStatus",
    "IdleWatcher",
    "Mailbox",
    "Pauses",
    "RawMessage",
    "TokenSource",
    "open_mailbox",
]
