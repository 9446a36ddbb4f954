"""One machine's life: plans, refusals, rollbacks and other people's edits in any order."""

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.examples import examples
from tests.properties.strategies import documents, wishes
from tests.unit.rules.builders import UBUNTU_2204, WINDOWS_2022, Leaving, Merging, RefusedError, machine_from, served

from patchmode.model.patch_settings import Orchestration, PatchSettings, WantedSettings, orchestration_of
from patchmode.model.plan import Change
from patchmode.rules.settings.patch import settings_in
from patchmode.rules.settings.planning import plan_machine
from patchmode.rules.settings.precondition import since_plan
from patchmode.rules.settings.rollback import plan_rollback_of
from patchmode.rules.settings.verification import differences

_leaving = st.sampled_from(("clear", "keep", "refuse"))
_merging = st.sampled_from(("deep", "shallow"))


class History(RuleBasedStateMachine):
    """What is recorded is what was sent; nobody but the user hands the machine to Azure."""

    document: dict[str, Any]

    @initialize(document=documents((WINDOWS_2022, UBUNTU_2204)))
    def start(self, document: dict[str, Any]) -> None:
        """Any machine."""
        self.document = document
        self.recorded: list[Change] = []
        self.in_azures_hands_by_name = self._in_azures_hands()

    def _in_azures_hands(self) -> bool:
        system = machine_from(self.document).os
        assert system is not None
        stated = PatchSettings.from_document(settings_in(self.document, system))
        return orchestration_of(stated) is Orchestration.AZURE_MANAGED

    def _send(self, change: Change, leaving: Leaving, merging: Merging) -> None:
        assert since_plan(change, self.document).all == ()
        try:
            after = served(self.document, change.body, leaving=leaving, merging=merging)
        except RefusedError:
            return
        assert differences(change, after) == ()
        self.document = after

    @rule(wanted=wishes(), leaving=_leaving, merging=_merging)
    def apply(self, wanted: WantedSettings, leaving: Leaving, merging: Merging) -> None:
        """Plan and apply; a refused change is recorded all the same."""
        planned = plan_machine(machine_from(self.document), wanted)
        if isinstance(planned, Change):
            self.recorded.append(planned)
            self._send(planned, leaving, merging)
            self.in_azures_hands_by_name |= wanted.orchestration is Orchestration.AZURE_MANAGED

    @precondition(lambda self: self.recorded)
    @rule(leaving=_leaving, merging=_merging, which=st.integers(0, 9), allow=st.booleans())
    def roll_back(self, leaving: Leaving, merging: Merging, which: int, allow: bool) -> None:
        """Undo any recorded change, the last or an older one."""
        change = self.recorded[which % len(self.recorded)]
        undone = plan_rollback_of(change, machine_from(self.document), allow_azure_managed=allow)
        if isinstance(undone, Change):
            self._send(undone, leaving, merging)
            self.in_azures_hands_by_name |= allow

    @rule(value=st.sampled_from(("prod", "test")))
    def somebody_edits_a_tag(self, value: str) -> None:
        """A change that is none of our business."""
        self.document = copy.deepcopy(self.document)
        self.document["tags"]["env"] = value

    @invariant()
    def nothing_is_newly_autopatched_unasked(self) -> None:
        """The never-create-autopatch rule over a whole history."""
        assert self.in_azures_hands_by_name or not self._in_azures_hands()


TestHistory = History.TestCase
TestHistory.settings = settings(deadline=None, max_examples=examples(25, 500), stateful_step_count=12)
