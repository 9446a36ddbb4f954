"""Audit reads Resource Graph, plan the providers: what a machine is must be told alike by both.

A provider's document holds neither the running system nor, in lists, the state of extensions; plan takes those from the
bulk read that discovery made anyway, so that no machine costs a request of its own.
"""

import asyncio

from hypothesis import HealthCheck, given, settings
from tests.examples import examples
from tests.properties.scheduled_fleets import Fleet, fleets
from tests.properties.test_prediction_against_emulator import emulated
from tests.properties.within import Product

from patchmode.model.machine import Machine
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.rules.eligibility.images import appliance_evidence
from patchmode.rules.eligibility.judgement import reasons_for
from patchmode.rules.eligibility.windows_edition import edition_of
from patchmode.workflow.inventory.bulk_reading import with_surroundings_of

CMS = WantedSettings(Orchestration.CUSTOMER_MANAGED_SCHEDULES)


def judged(machine: Machine) -> tuple[object, ...]:
    """All that the rules say of a machine, and what they rest on."""
    reasons = [(reason.rule, reason.severity, reason.evidence) for reason in reasons_for(machine, CMS)]
    extension = machine.surroundings.patch_extension
    failed = extension if extension is not None and extension.has_failed else None
    return edition_of(machine), appliance_evidence(machine), failed, reasons


@settings(max_examples=examples(25, 1000), suppress_health_check=[HealthCheck.too_slow])
@given(fleets())
def test_audit_and_plan_judge_alike(fleet: Fleet) -> None:
    """Over fleets with clients, appliances, failed extensions, and guests that report what they run."""
    product = Product(emulated(fleet))
    for known in asyncio.run(product.discovered()):
        for shown in (product.listed(known), product.shown(known)):
            assert judged(with_surroundings_of(shown, known)) == judged(known)
