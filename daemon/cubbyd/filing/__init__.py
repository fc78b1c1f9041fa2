"""Filing: decide -> plan -> apply -> settle, and recovery when something broke off in between."""

from cubbyd.filing.context import PassReport
from cubbyd.filing.decision import NOTHING_TO_READ, Decision, Hold, decide
from cubbyd.filing.filer import Filer
from cubbyd.filing.plan import Rules, plan, rules_of

__all__ = ["NOTHING_TO_READ", "Decision", "Filer", "Hold", "PassReport", "Rules", "decide", "plan", "rules_of"]
