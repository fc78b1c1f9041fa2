"""The stories of filing, undo and IDLE that matter most, told again on Cyrus and Courier, as these servers are."""

from __future__ import annotations

from types import ModuleType

import pytest
from tests.faults import test_servers as faults
from tests.integration import test_correction as correcting
from tests.integration import test_filing as filing
from tests.integration import test_undo as undoing
from tests.integration import test_watch as watching
from tests.integration.test_watch import hints, watcher

__all__ = ["hints", "watcher"]

pytestmark = pytest.mark.servers

TOLD_AGAIN: dict[ModuleType, list[str]] = {
    filing: [
        "test_each_mail_goes_to_its_folder_unread_and_a_second_pass_does_nothing",
        "test_unsure_mail_goes_to_the_review_folder_where_that_is_wanted",
        "test_observing_records_decisions_and_changes_nothing_and_filing_later_asks_nobody_again",
        "test_a_label_is_a_keyword_and_the_mail_stays",
        "test_a_label_travels_with_a_moved_mail",
        "test_what_is_urgent_has_a_star_wherever_it_goes_and_is_unread",
        "test_a_mail_that_a_person_puts_back_is_left_alone",
        "test_the_same_mail_delivered_twice_is_filed_twice",
        "test_a_mail_that_somebody_marked_deleted_is_left_until_the_mark_is_taken_off",
        "test_a_mail_that_a_person_takes_before_it_is_filed_stays_where_the_person_put_it",
    ],
    correcting: [
        "test_a_drag_is_seen_in_any_layout_and_nothing_is_read_by_it",
        "test_a_client_that_copies_and_marks_the_original_moves_it",
    ],
    undoing: [
        "test_filed_mail_comes_back_unread_and_bare_in_any_layout",
        "test_what_a_person_moved_or_deleted_since_stays_there",
    ],
    faults: [
        "test_a_folder_that_changes_under_us_is_made_again_and_nothing_is_lost",
        "test_a_folder_deleted_between_the_decision_and_the_move_gets_the_mail_all_the_same",
    ],
    watching: [
        "test_a_new_mail_is_hinted_at",
        "test_stopping_takes_no_time",
        "test_a_refused_login_is_not_tried_again_by_who_only_watches",
    ],
}
globals().update({name: getattr(module, name) for module, names in TOLD_AGAIN.items() for name in names})
