"""Until when vendors let anybody fine-tune, as known in November 2026 (from their pages on deprecations)."""

from __future__ import annotations

from typing import Final

SHUTDOWN: Final = (
    "OpenAI closes fine-tuning: since 2026-05-07 to organizations that never fine-tuned, since 2026-07-02 to those that had not "
    "used a tuned model for 60 days, on 2027-01-06 to all; on 2027-01-14 every tuned model of gpt-4o and gpt-4.1 shuts down.",
    "Azure keeps it for existing customers: gpt-4o-mini and gpt-4.1-mini until April 2027 at least, deployments until October 2027.",
    "Other vendors have dates of their own; ask yours before you pay.",
)
REFUSED: Final = (
    "this account may not fine-tune. At OpenAI that is final for new customers; cubbyd cannot change it. The way that stays "
    "open: `cubbyd train` makes a model of your examples on this machine, and mode = \"decisions\" needs no training."
)
