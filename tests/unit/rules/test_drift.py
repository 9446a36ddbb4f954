"""What moved between two looks: nothing that was merely not read, and nobody named whom no record names."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.drift import Drift, DriftKind, Look, MachineLook, Move, ResourceChange
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target
from patchmode.rules.drift import FIELDS, carried, drifts, with_authors

SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111"
TARGET = Target("AzureCloud", "https://management.azure.com", "99999999-9999-9999-9999-999999999999")
WEEKLY = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Maintenance/maintenanceConfigurations/weekly"
AT = datetime(2030, 1, 31, 22, 0, tzinfo=UTC)
LEAF = "properties.osProfile.windowsConfiguration.patchSettings"


def identity(name: str) -> ResourceId:
    return ResourceId.parse(f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/{name}")


def machine(name: str = "web", *, outcome: str = "scheduled", schedules: Any = (), **settings: Any) -> MachineLook:
    values = dict.fromkeys(FIELDS) | {"patchMode": "AutomaticByPlatform", "bypass": True} | settings
    found = None if schedules is None else {text.casefold(): text for text in schedules}
    return MachineLook(identity(name), values, outcome, "because", found)


def look(*machines: MachineLook, **facts: Any) -> Look:
    return Look(TARGET, ("--all",), {one.id.key: one for one in machines}, taken_at=AT, **facts)


def change(name: str = "web", *paths: str, minutes: int = 0, **facts: Any) -> ResourceChange:
    facts = {"change_type": "Update", "changed_by": "a@contoso.example", "changed_by_type": "User"} | facts
    facts = {"client_type": "Azure Portal", "operation": None, **facts}
    resource = facts.pop("resource_id", str(identity(name)))
    return ResourceChange(resource, AT + timedelta(minutes=minutes), paths=paths, **facts)


class TestWhatMoved:
    """Field by field, outcome, schedules."""

    def test_each_field_with_both_values(self) -> None:
        moved = machine(bypass=False, outcome="autopatched")
        (one,) = drifts(look(machine()), look(moved))
        assert one == Drift(
            identity("web"), DriftKind.CHANGED, (Move("bypass", True, False),), "scheduled", "autopatched", "because"
        )
        assert one.is_outcome_change

    def test_case_of_an_enumeration_is_no_drift(self) -> None:
        assert drifts(look(machine()), look(machine(patchMode="automaticbyplatform"))) == ()

    def test_false_is_not_absent(self) -> None:
        (one,) = drifts(look(machine(hotpatch=None)), look(machine(hotpatch=False)))
        assert one.moves == (Move("hotpatch", None, False),)

    def test_schedules_gained_and_lost(self) -> None:
        other = WEEKLY.replace("weekly", "other")
        (one,) = drifts(look(machine(schedules=[WEEKLY])), look(machine(schedules=[other])))
        assert (one.schedules_gained, one.schedules_lost, one.moves) == ((other,), (WEEKLY,), ())

    def test_casing_of_a_schedule_is_no_drift(self) -> None:
        assert drifts(look(machine(schedules=[WEEKLY])), look(machine(schedules=[WEEKLY.lower()]))) == ()

    def test_machines_that_came_and_went(self) -> None:
        came, went = drifts(look(machine("b")), look(machine("a")))
        assert (came.kind, came.outcome_before, came.outcome_after) == (DriftKind.CAME, None, "scheduled")
        assert (went.kind, went.outcome_before, went.outcome_after) == (DriftKind.WENT, "scheduled", None)
        assert (bool(came.outcome_reason), went.outcome_reason) == (True, "")

    def test_machine_left_out_by_a_filter_says_so(self) -> None:
        (one,) = drifts(look(machine()), look(filtered={identity("web").key: "Left out by --power running."}))
        assert (one.kind, one.because) == (DriftKind.WENT, "Left out by --power running.")


class TestWhatWasNotRead:
    """A look that saw less is no proof that there is less."""

    @pytest.mark.parametrize(
        "place",
        [
            SUBSCRIPTION,
            SUBSCRIPTION.upper(),
            f"{SUBSCRIPTION}/resourceGroups/RG",
            str(identity("web")),
            "/providers/Microsoft.Management/managementGroups/contoso",
        ],
    )
    def test_machine_of_an_unreadable_place_has_not_gone(self, place: str) -> None:
        assert drifts(look(machine()), look(unreadable=(place,))) == ()

    @pytest.mark.parametrize("place", [f"{SUBSCRIPTION}/resourceGroups/rg2", f"{identity('web')}-2"])
    def test_unreadable_place_with_a_longer_name_does_not_hide_it(self, place: str) -> None:
        assert [one.kind for one in drifts(look(machine()), look(unreadable=(place,)))] == [DriftKind.WENT]

    def test_change_during_an_outage_is_told_after_it(self) -> None:
        first, outage, after = look(machine()), look(unreadable=(SUBSCRIPTION,)), look(machine(bypass=False))
        known = carried(first, outage)
        assert drifts(first, outage) == ()
        assert [one.moves for one in drifts(known, after)] == [(Move("bypass", True, False),)]

    def test_schedules_that_could_not_be_looked_up_change_nothing(self) -> None:
        before = look(machine(schedules=[WEEKLY]))
        blind = look(machine(schedules=None, outcome="unknown"))
        assert drifts(before, blind) == ()
        assert drifts(carried(before, blind), look(machine(schedules=[WEEKLY]))) == ()
        assert [one.schedules_lost for one in drifts(carried(before, blind), look(machine()))] == [(WEEKLY,)]

    def test_outcome_told_without_schedules_is_no_measure(self) -> None:
        """A baseline that could not look them up says `unknown`; that it is known now is no drift of the machine."""
        blind = look(machine(schedules=None, outcome="unknown"))
        assert drifts(blind, look(machine(schedules=[WEEKLY]))) == ()
        (one,) = drifts(blind, look(machine(schedules=[WEEKLY], bypass=False)))
        assert ([move.field for move in one.moves], one.schedules_gained) == (["bypass"], ())
        (still,) = drifts(blind, look(machine(schedules=None, outcome="guest-managed")))
        assert still.outcome_after == "guest-managed"

    def test_settings_are_compared_all_the_same(self) -> None:
        blind = look(machine(schedules=None, outcome="unknown", bypass=False))
        (one,) = drifts(look(machine(schedules=[WEEKLY])), blind)
        assert (one.moves, one.is_outcome_change) == ((Move("bypass", True, False),), False)


MACHINES = st.builds(
    lambda name, outcome, bypass, schedules: machine(name, outcome=outcome, bypass=bypass, schedules=schedules),
    st.sampled_from("abcd"),
    st.sampled_from(["scheduled", "parked", "autopatched"]),
    st.sampled_from([True, False, None]),
    st.one_of(st.none(), st.lists(st.sampled_from([WEEKLY, WEEKLY + "2"]), unique=True)),
)
LOOKS = st.lists(MACHINES, unique_by=lambda one: one.id.key).map(lambda found: look(*found))


@given(LOOKS)
def test_a_look_does_not_drift_from_itself(one: Look) -> None:
    assert drifts(one, one) == ()
    assert drifts(carried(one, one), one) == ()


@given(LOOKS, LOOKS)
def test_what_was_told_is_not_told_again(before: Look, after: Look) -> None:
    assert drifts(carried(before, after), after) == ()


@given(LOOKS, LOOKS)
def test_each_machine_is_told_once_at_most(before: Look, after: Look) -> None:
    told = [one.id.key for one in drifts(before, after)]
    assert told == sorted(set(told))
    assert set(told) <= {*before.machines, *after.machines}


class TestWhoDidIt:
    """Azure's record of this very change, or nobody."""

    @staticmethod
    def author(moves: Mapping[str, Any], *changes: ResourceChange, **facts: Any) -> ResourceChange | None:
        told = tuple(Move(field, None, value) for field, value in moves.items())
        drift = replace(Drift(identity("web"), DriftKind.CHANGED, told), **facts)
        (one,) = with_authors([drift], changes)
        return one.author

    def test_record_that_names_the_setting(self) -> None:
        record = change("web", f"{LEAF}.patchMode")
        assert self.author({"patchMode": "Manual", "orchestration": "Manual"}, record) == record

    def test_id_in_another_case(self) -> None:
        record = change("web", f"{LEAF}.patchMode", resource_id=str(identity("web")).upper())
        assert self.author({"patchMode": "Manual"}, record) == record

    @pytest.mark.parametrize(
        "paths",
        [
            (f"{LEAF}.automaticByPlatformSettings.bypassPlatformSafetyChecksOnUserSchedule",),
            (f"{LEAF}.automaticByPlatformSettings",),
            (LEAF,),
        ],
    )
    def test_block_that_was_removed_as_a_whole(self, paths: tuple[str, ...]) -> None:
        record = change("web", *paths)
        assert self.author({"bypass": False}, record) == record

    @pytest.mark.parametrize(
        "record",
        [
            change("web", "tags.owner"),
            change("web"),
            change("web", f"{LEAF}.assessmentMode"),
            change("web-2", f"{LEAF}.patchMode"),
        ],
        ids=["tags", "silent", "another-setting", "another-machine"],
    )
    def test_record_of_something_else_names_nobody(self, record: ResourceChange) -> None:
        assert self.author({"patchMode": "Manual"}, record) is None

    def test_the_last_of_several(self) -> None:
        early, late = (change("web", f"{LEAF}.patchMode", minutes=minutes) for minutes in (1, 2))
        assert self.author({"patchMode": "Manual"}, late, early) == late

    def test_assignment_that_was_deleted(self) -> None:
        place = f"{identity('web')}/providers/Microsoft.Maintenance/configurationAssignments/weekly"
        record = change(resource_id=place, change_type="Delete")
        assert self.author({}, record, schedules_lost=(WEEKLY,)) == record
        assert self.author({}, record, schedules_gained=(WEEKLY,)) is None

    def test_outcome_alone_names_nobody(self) -> None:
        assert self.author({}, change("web", f"{LEAF}.patchMode"), outcome_before="a", outcome_after="b") is None

    def test_creation_and_deletion(self) -> None:
        created, deleted = change(change_type="Create"), change(change_type="Delete")
        assert self.author({}, created, deleted, kind=DriftKind.CAME) == created
        assert self.author({}, created, deleted, kind=DriftKind.WENT) == deleted
