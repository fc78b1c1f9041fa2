"""Fine-tuning jobs through the client of the daemon: whatever breaks off, no file is forgotten and no job is paid for twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.finetune import Vendor, examples, lesson, opened_vendor
from tests.unit.configuration import load

from cubbyd.classify.hosted.tuning import open_tuning
from cubbyd.errors import ConfigError, StateError, TuningError, TuningNotPermitted, TuningUnavailable
from cubbyd.standin import Fault, Standin
from cubbyd.training.finetune.record import FILE_NAME, ORDERED, Job
from cubbyd.training.finetune.work import find_jobs, minutes_left, steps_of


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin({}) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def vendor(tmp_path: Path, standin: Standin) -> Iterator[Vendor]:
    with opened_vendor(tmp_path, standin) as opened:
        yield opened


def test_a_sweep_uploads_once_with_a_day_of_expiry_and_orders_a_job_for_each_number(vendor: Vendor) -> None:
    vendor.start(2, 4)

    upload, *orders = vendor.standin.requests
    assert (upload.path, len(orders)) == ("/v1/files", 2)
    assert b"expires_after" in upload.content
    assert b"86400" in upload.content
    for order, epochs in zip(orders, (2, 4), strict=True):
        assert order.body["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
        assert (order.body["suffix"], order.body["seed"]) == ("cubbyd", 7)


def test_a_job_is_followed_to_its_end_and_nothing_but_the_model_stays_at_the_vendor(vendor: Vendor) -> None:
    validation = lesson(vendor.config, *examples("Good morning,"))
    sweep = vendor.follow(vendor.start(3, validation=validation))

    assert vendor.told.states == ["queued", "running", "succeeded"]
    assert vendor.told.progresses[-1].step == vendor.told.progresses[-1].steps == 48
    assert vendor.standin.files.names == []
    assert sweep.is_done
    assert vendor.job().model.startswith("ft:gpt-4o-mini")
    losses = vendor.records.result_file(vendor.job().id)
    assert losses.exists()
    assert {file.stat().st_mode & 0o777 for file in (losses, vendor.records.file)} == {0o600}


def test_the_record_holds_no_text_of_a_mail(vendor: Vendor) -> None:
    vendor.follow(vendor.start())

    text = vendor.records.file.read_text()
    assert not any(word in text for word in ("Emma", "fever", "invoice"))


def test_files_stay_while_one_job_of_a_sweep_goes_on(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("queued", "failed")
    vendor.standin.tunings.plan("queued", "running", "running", "running", "succeeded")
    sweep = vendor.start(1, 2)
    for _ in range(2):
        for job in sweep.jobs:
            sweep = vendor.work.look(sweep, job) if not sweep.job(job.run).is_over else sweep
    assert [job.status for job in sweep.jobs] == ["failed", "running"]
    assert len(vendor.standin.files.names) == 1

    vendor.follow(sweep)

    assert vendor.standin.files.names == []


def test_a_job_that_fails_in_the_middle_is_told_with_its_code_and_its_files_are_deleted(vendor: Vendor) -> None:
    error = {"code": "exceeded_quota", "message": "Mia is sick", "param": None}
    vendor.standin.tunings.plan("queued", "running", "failed", error=error)

    vendor.follow(vendor.start())

    assert (vendor.job().status, vendor.job().error_code) == ("failed", "exceeded_quota")
    assert "Mia" not in vendor.records.file.read_text(), "what a vendor says in words may quote a line"
    assert vendor.standin.files.names == []


def test_a_file_that_expired_before_the_job_fails_it(vendor: Vendor) -> None:
    sweep = vendor.start()
    vendor.standin.files.expire()

    sweep = vendor.follow(sweep)

    assert vendor.job().error_code == "invalid_training_file"
    assert sweep.is_done, "a file that is gone needs no deleting"


def test_a_paused_job_is_waited_for_and_goes_on(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("queued", "running", "paused", "paused", "running", "succeeded")

    vendor.follow(vendor.start())

    assert "paused" in vendor.told.states
    assert vendor.told.progresses[-1].status == "succeeded"
    assert vendor.told.waits[:2] == [1.0, 1.0], "a change is looked after soon"
    assert vendor.told.waits[3] == 1.5, "and no change more seldom"


def test_an_account_that_may_not_fine_tune_is_told_so_and_leaves_nothing_behind(vendor: Vendor) -> None:
    vendor.standin.tunings.is_closed = True

    with pytest.raises(TuningNotPermitted, match="403"):
        vendor.start(2, 4)

    assert vendor.standin.files.names == []
    assert vendor.records.read() == ()


def test_no_money_is_no_want_of_permission(vendor: Vendor) -> None:
    vendor.standin.then(Fault(), Fault.error(403, "insufficient_quota", kind="insufficient_quota"))

    with pytest.raises(TuningUnavailable, match="no money left"):
        vendor.start()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.error(401), TuningError),
        (Fault.error(503), TuningUnavailable),
        (Fault.page(), TuningUnavailable),
        (Fault.redirect("http://127.0.0.1:1/v1/files"), TuningUnavailable),
    ],
)
def test_an_upload_that_fails_ends_the_start(vendor: Vendor, fault: Fault, kind: type[TuningError]) -> None:
    vendor.standin.then(fault)

    with pytest.raises(kind):
        vendor.start()

    assert vendor.records.read() == ()
    assert vendor.standin.files.names == []


def test_a_file_whose_upload_lost_its_answer_is_found_by_its_name_and_deleted(vendor: Vendor) -> None:
    vendor.standin.then(Fault(hang_up=True))

    with pytest.raises(TuningUnavailable):
        vendor.start()

    assert vendor.standin.files.names == []
    assert [request.method for request in vendor.standin.requests] == ["POST", "GET", "DELETE"]


def test_a_job_whose_order_lost_its_answer_is_found_and_not_ordered_again(vendor: Vendor) -> None:
    vendor.standin.then(Fault(), Fault(hang_up=True))

    vendor.start()

    assert vendor.job().id.startswith("ftjob-")
    assert [request.method for request in vendor.standin.requests] == ["POST", "POST", "GET"]


def test_a_job_that_nobody_knows_of_during_an_outage_is_found_later(vendor: Vendor) -> None:
    vendor.standin.then(Fault(), Fault(hang_up=True), Fault.error(503), Fault.error(503))
    with pytest.raises(TuningUnavailable):
        vendor.start()
    assert (vendor.job().id, vendor.job().status) == ("", ORDERED)
    assert len(vendor.standin.files.names) == 1, "it may be needed"

    vendor.follow(vendor.kept())

    assert vendor.job().status == "succeeded"
    assert vendor.standin.files.names == []


def test_a_start_that_was_killed_before_its_order_never_started(vendor: Vendor) -> None:
    sweep = vendor.start()
    lost = sweep.jobs[0].model_copy(update={"id": "", "run": "never-sent", "status": ORDERED})
    vendor.records.keep(sweep.model_copy(update={"jobs": (lost,)}))

    after = vendor.work.look(vendor.kept(), lost)

    assert after.jobs[0].status == "never started"
    assert vendor.standin.files.names == []
    assert vendor.records.read() == ()


def test_nobody_judges_a_start_that_is_under_way_and_no_second_one_begins(vendor: Vendor) -> None:
    sweep = vendor.start()
    going = sweep.with_job(sweep.jobs[0].model_copy(update={"id": "", "status": ORDERED}))
    with vendor.records.starting() as is_ours:
        assert is_ours
        assert vendor.work.look(going, going.jobs[0]) == going
        with pytest.raises(TuningError, match="is starting jobs"):
            vendor.start()


def test_when_the_second_of_two_orders_fails_the_first_job_goes_on(vendor: Vendor) -> None:
    vendor.standin.then(Fault(), Fault(), Fault.error(429, "rate_limit_exceeded"))

    with pytest.raises(TuningUnavailable):
        vendor.start(2, 4)

    assert [bool(job.id) for job in vendor.kept().jobs] == [True, False]
    assert len(vendor.standin.files.names) == 1
    sweep = vendor.follow(vendor.kept())
    assert [job.status for job in sweep.jobs] == ["succeeded", "never started"]
    assert vendor.standin.files.names == []


def deletes(standin: Standin) -> int:
    return sum(request.method == "DELETE" for request in standin.requests)


def test_what_could_not_be_deleted_is_kept_in_mind_and_deleted_the_next_time(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("failed")
    sweep = vendor.start()
    vendor.standin.then(Fault(), *[Fault.error(500)] * 2)  # the look, and two tries to delete

    sweep = vendor.follow(sweep)

    assert sweep.is_over
    assert not sweep.is_done
    assert vendor.kept().undeleted == tuple(vendor.standin.files.names) != ()
    assert deletes(vendor.standin) == 2
    assert vendor.work.clean(vendor.kept()).is_done
    assert vendor.standin.files.names == []


def test_losses_that_could_not_be_fetched_are_fetched_before_they_are_deleted(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("succeeded")
    sweep = vendor.start()
    vendor.standin.then(Fault(), Fault.error(500), Fault.error(500))  # the look, and two tries to fetch

    sweep = vendor.work.look(sweep, sweep.jobs[0])

    assert not vendor.records.result_file(vendor.job().id).exists()
    assert sweep.left_behind == tuple(vendor.standin.files.names) != ()
    assert vendor.work.clean(sweep).is_done
    assert vendor.records.result_file(vendor.job().id).exists()
    assert vendor.standin.files.names == []


def test_a_watch_lives_through_a_vendors_bad_minutes_and_gives_up_after_many(vendor: Vendor) -> None:
    sweep = vendor.start()
    vendor.standin.then(Fault.error(503), Fault.page(), Fault.error(429, retry_after="90"))

    vendor.follow(sweep)

    assert vendor.job().status == "succeeded"
    assert len(vendor.told.troubles) == 3
    assert 90.0 in vendor.told.waits, "a longer pause that is asked for is kept"

    again = vendor.start()
    vendor.standin.always(Fault.error(500))
    with pytest.raises(TuningUnavailable):
        vendor.follow(again)
    vendor.standin.always(None)


def test_a_watch_tells_steps_losses_and_the_time_that_is_left(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("running", "succeeded")
    event = {
        "id": "ftevent-1",
        "object": "fine_tuning.job.event",
        "created_at": 1,
        "level": "info",
        "message": "Step 8",
        "type": "metrics",
        "data": {"step": 8, "train_loss": 0.75, "valid_loss": 0.9, "full_valid_loss": 0.8},
    }
    chosen = {"hyperparameters": {"n_epochs": 2, "batch_size": 2}, "estimated_finish": int(time.time()) + 300}
    sweep = vendor.start()
    vendor.standin.then(Fault.keys(**chosen), Fault.keys(data=[event]))

    vendor.follow(sweep)

    first = vendor.told.progresses[0]
    assert (first.status, first.step, first.steps, first.train_loss, first.valid_loss) == ("running", 8, 16, 0.75, 0.8)
    assert first.minutes_left == pytest.approx(5, abs=0.1)


def test_the_time_that_is_left_follows_the_pace_where_the_vendor_does_not_say(vendor: Vendor) -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    sweep = vendor.start()
    job = Job(run="r", epochs=2, batch_size=2, status="running", running_since=now - timedelta(minutes=4))

    assert steps_of(sweep, job) == 16
    assert minutes_left(sweep, job, 4, now) == pytest.approx(12)
    assert minutes_left(sweep, job, None, now) is None
    assert minutes_left(sweep, job.model_copy(update={"batch_size": None}), 4, now) is None
    assert minutes_left(sweep, job.model_copy(update={"status": "failed"}), 4, now) is None


def test_a_vendor_that_tells_of_no_steps_is_watched_all_the_same(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("running", "succeeded")
    sweep = vendor.start()
    vendor.standin.then(Fault(), Fault.error(404))

    vendor.follow(sweep)

    assert vendor.told.states == ["running", "succeeded"]
    assert vendor.told.progresses[0].step is None


def test_a_canceled_job_is_over_and_its_files_are_deleted(vendor: Vendor) -> None:
    sweep = vendor.start()

    sweep = vendor.work.cancel(sweep, sweep.jobs[0])

    assert vendor.job().status == "cancelled"
    assert sweep.is_done
    assert vendor.standin.files.names == []


def test_canceling_a_job_that_has_ended_meanwhile_tells_how_it_ended(vendor: Vendor) -> None:
    vendor.standin.tunings.plan("succeeded")
    sweep = vendor.start()
    vendor.client.look(sweep.jobs[0].id)

    sweep = vendor.work.cancel(sweep, sweep.jobs[0])

    assert sweep.jobs[0].status == "succeeded"
    assert vendor.standin.files.names == []
    (refused,) = vendor.standin.violations
    assert "already completed" in refused
    vendor.standin.violations.clear()


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body | {"status": "<script>"},
        lambda body: body | {"id": "../../etc/passwd"},
        lambda body: {key: value for key, value in body.items() if key != "status"},
        lambda _: {"error": {"message": "wrong path"}},
    ],
)
def test_an_answer_that_is_no_job_is_not_believed(
    vendor: Vendor, change: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    sweep = vendor.start()
    vendor.standin.then(Fault(change=change))

    with pytest.raises(TuningUnavailable, match="not the service"):
        vendor.client.look(sweep.jobs[0].id)


def test_a_tuned_model_and_files_of_odd_names_are_not_taken(vendor: Vendor) -> None:
    sweep = vendor.start()
    vendor.standin.then(Fault.keys(fine_tuned_model='x"\nmode = "y', result_files=["../x", 3], error={"code": "a b"}))

    seen = vendor.client.look(sweep.jobs[0].id)

    assert (seen.model, seen.result_files, seen.error_code) == ("", (), "")


def test_jobs_are_found_by_their_id_or_their_start_and_without_a_name_by_the_newest(vendor: Vendor) -> None:
    first, second = vendor.start(1), vendor.start(1, 2)
    sweeps = vendor.records.read()

    assert [job.id for _, job in find_jobs(sweeps, ())] == [job.id for job in second.jobs]
    assert find_jobs(sweeps, [first.name, first.jobs[0].id]) == [(first, first.jobs[0])]
    with pytest.raises(TuningError, match="'x' is no job"):
        find_jobs(sweeps, ["x"])
    with pytest.raises(TuningError, match="begin with: cubbyd finetune start"):
        find_jobs((), ())


def test_a_damaged_record_is_named_and_not_written_over(vendor: Vendor) -> None:
    vendor.start()
    file = vendor.config.state.directory / FILE_NAME
    file.write_text('{"format": "cubbyd finetune 9"}')

    with pytest.raises(StateError, match="move it away"):
        vendor.start()

    assert file.read_text() == '{"format": "cubbyd finetune 9"}'


def test_without_a_vendor_in_the_configuration_there_is_no_connection(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs the vendor's address and key"):
        open_tuning(load(tmp_path / "cubbyd.toml"))
