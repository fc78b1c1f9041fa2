"""Whatever happens, in whatever order, to mail, server, classifier, disk and people: each mail ends in one place, the right one.

    CUBBYD_LIVES=5000 .venv/bin/pytest tests/property/test_life_property.py

plays that many lives, of other kinds than those that every run plays.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from tests.property.life import DAY, FLAGGED, INBOX, STAFF, WORDS, Life, outage
from tests.rig import FOLDERS, rules

from cubbyd.config import Backlog
from cubbyd.filing import Rules
from cubbyd.journal import Selection
from cubbyd.testing import DELETED, SEEN

LIVES = int(os.environ.get("CUBBYD_LIVES", "0"))
WAYS = {
    "move": {},
    "move, unsure to review": {"review": "Review"},
    "label": {"move": False, "label": True},
    "move and label": {"label": True},
    "observe": {"observe": True},
}
FILING = [way for way in WAYS if way != "observe"]
SERVERS = {"MOVE": (True, True), "COPY, UIDPLUS": (False, True), "COPY alone": (False, False)}
STEPS = st.integers(1, 40)


class LifeMachine(RuleBasedStateMachine):
    """Lets mail come, people work, and things break; asks after each step, and thoroughly after clean passes."""

    life: Life

    @initialize(
        way=st.sampled_from(FILING),
        backlog=st.sampled_from(list(Backlog)),
        server=st.sampled_from(list(SERVERS)),
        old=st.lists(st.sampled_from(list(WORDS)), max_size=3),
    )
    def begin(self, way: str, backlog: Backlog, server: str, old: list[str]) -> None:
        move, uidplus = SERVERS[server]
        self.backlog = backlog
        self.life = Life(rules(backlog=backlog, **WAYS[way]), move=move, uidplus=uidplus)  # type: ignore[arg-type]
        for word in old:
            self.life.deliver(word)
        self.life.clock.advance(3600)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            try:
                self.life.settle(self.filing("move"))
                self.life.check_always()
                self.life.check_settled()
            finally:
                self.life.end()

    def filing(self, way: str) -> Rules:
        return rules(backlog=self.backlog, **WAYS[way])  # type: ignore[arg-type]

    # --- mail comes, and time goes -----------------------------------------------------------------------------------

    @rule(word=st.sampled_from(list(WORDS)))
    def mail_comes(self, word: str) -> None:
        self.life.deliver(word)

    @precondition(lambda self: self.life.letters)
    @rule(data=st.data())
    def the_same_mail_comes_again(self, data: st.DataObject) -> None:
        self.life.deliver_again(data.draw(st.sampled_from(sorted(self.life.letters))))

    @rule(seconds=st.sampled_from([60, 600, DAY]))
    def time_goes_by(self, seconds: int) -> None:
        self.life.clock.advance(seconds)

    # --- cubbyd works ------------------------------------------------------------------------------------------------

    @rule()
    def a_pass(self) -> None:
        self.life.run()

    @rule(at=STEPS)
    def a_pass_that_is_cut(self, at: int) -> None:
        self.life.at_command(at, self.life.cut)
        self.life.run()

    @rule(at=STEPS)
    def a_pass_with_a_refusal(self, at: int) -> None:
        self.life.at_command(at, self.life.refuse)
        self.life.run()

    @rule(at=STEPS)
    def a_pass_in_which_the_server_dies(self, at: int) -> None:
        self.life.at_command(at, self.life.die_in_move)
        self.life.run()

    @rule(at=STEPS)
    def a_pass_that_is_killed(self, at: int) -> None:
        self.life.run_until_death(at)

    @rule(at=STEPS, data=st.data())
    def a_pass_with_a_person_beside_it(self, at: int, data: st.DataObject) -> None:
        self.life.at_command(at, lambda _name: self._person(data))
        self.life.run()

    @rule(way=st.sampled_from(list(WAYS)))
    def another_configuration(self, way: str) -> None:
        self.life.restart(self.filing(way))

    # --- people work -------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def a_person_works(self, data: st.DataObject) -> None:
        self._person(data)

    @rule(data=st.data())
    def a_person_puts_a_mail_back(self, data: st.DataObject) -> None:
        if filed := [place for place in self.life.takable() if place[0] != INBOX]:
            self.life.drag(*data.draw(st.sampled_from(filed)), INBOX)

    def _person(self, data: st.DataObject) -> None:
        there = self.life.takable()
        if not there:
            return
        folder, uid = data.draw(st.sampled_from(there))
        deed = data.draw(st.sampled_from(["drag", "put back", "delete", "read", "star", "mark as deleted"]))
        match deed:
            case "drag":
                target = data.draw(st.sampled_from(sorted({STAFF, *FOLDERS.values()} - {folder})))
                self.life.drag(folder, uid, target)
            case "put back" if folder != INBOX:
                self.life.drag(folder, uid, INBOX)
            case "delete":
                self.life.delete(folder, uid)
            case "read":
                self.life.mark(folder, uid, SEEN)
            case "star":
                self.life.mark(folder, uid, FLAGGED)
            case "mark as deleted":
                self.life.mark(folder, uid, DELETED)

    @rule()
    def people_think_better_of_it(self) -> None:
        self.life.take_off_marks()

    @rule(data=st.data())
    def a_person_deletes_a_folder(self, data: st.DataObject) -> None:
        there = [name for name in sorted(self.life.server.folders) if name not in {INBOX, STAFF} and self.life.can_go(name)]
        if there:
            self.life.remove_folder(data.draw(st.sampled_from(there)))

    # --- things break, and are mended --------------------------------------------------------------------------------

    @rule(data=st.data())
    def a_folder_gets_new_uids(self, data: st.DataObject) -> None:
        self.life.renumber(data.draw(st.sampled_from(sorted(self.life.server.folders))))

    @rule()
    def the_quota_is_used_up_or_raised(self) -> None:
        self.life.is_full = not self.life.is_full

    @rule()
    def the_classifier_goes_or_comes_back(self) -> None:
        self.life.classifier.outage = None if self.life.classifier.outage else outage()

    # --- an admin undoes ---------------------------------------------------------------------------------------------

    @rule(category=st.sampled_from([None, "absence", "billing"]), again=st.booleans(), at=st.one_of(st.none(), STEPS))
    def an_undo(self, category: str | None, at: int | None, *, again: bool) -> None:
        self.life.restart()
        wanted = Selection(category=category) if category else Selection(run=self.life.journal.last_run("office"))
        if at is not None:
            self.life.at_command(at, self.life.cut)
        self.life.undo(wanted, again=again)

    # --- what must hold ----------------------------------------------------------------------------------------------

    @rule()
    def all_is_well_for_days(self) -> None:
        self.life.settle(self.filing("move"))
        self.life.check_settled()

    @invariant()
    def nothing_is_lost_altered_read_or_asked_about_twice(self) -> None:
        if hasattr(self, "life"):
            self.life.check_always()


@pytest.mark.slow
def test_whatever_happens_in_whatever_order_each_mail_ends_in_one_place_the_right_one() -> None:
    lives = settings(
        max_examples=LIVES or 60,
        stateful_step_count=40 if LIVES else 25,
        derandomize=not LIVES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LifeMachine, settings=lives)
