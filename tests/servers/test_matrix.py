"""The fault matrix on Cyrus and Courier: every command of a pass, spoiled in every way."""

from __future__ import annotations

import pytest
from tests.faults.desk import Setup
from tests.faults.test_matrix import test_whatever_happens_to_whichever_command_every_mail_ends_once_in_its_place
from tests.rig import rules

__all__ = ["test_whatever_happens_to_whichever_command_every_mail_ends_once_in_its_place"]

pytestmark = pytest.mark.servers


@pytest.fixture(scope="session")
def setup() -> Setup:
    """As the server is: Cyrus has MOVE and UIDPLUS, Courier has UIDPLUS; both keep keywords."""
    return Setup(rules=rules(label=True))
