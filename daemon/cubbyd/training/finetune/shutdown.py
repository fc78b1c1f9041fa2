"""Until when vendors let anybody fine-tune, as known in November 2026 (from their pages on deprecations)."""

from __future__ import annotations

from typing import Final

OPENAI: Final = (
    "OpenAI closes fine-tuning: since 2026-05-07 to organizations that never fine-tuned, since 2026-07-02 to those that had "
    "not used a tuned model for 60 days, on 2027-01-06 to all. On 2027-01-14 every tuned model of gpt-4o and gpt-4.1 "
    "shuts down."
)
AZURE: Final = (
    "Azure keeps it for existing customers: jobs for gpt-4o-mini and gpt-4.1-mini until April 2027 at least, deployments until "
    "October 2027."
)
OTHERS: Final = "Other vendors have dates of their own; ask yours before you pay."
SHUTDOWN: Final = (OPENAI, AZURE, OTHERS)

REFUSED: Final = (
    "This account may not fine-tune. At OpenAI that is final for new customers, and cubbyd cannot change it. The ways that "
    'stay open: `cubbyd train` makes a model of your examples on this machine, and mode = "decisions" needs no training'
)
