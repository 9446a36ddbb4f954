"""The built-in fleets."""

from typing import Any


def small_fleet() -> dict[str, Any]:
    """Two subscriptions and nothing in them."""
    return {"subscriptions": [{"subscriptionId": "22222222-2222-2222-2222-222222222222", "displayName": "Alpha"}]}


def demo_fleet() -> dict[str, Any]:
    """The fleet of the demonstration."""
    return small_fleet()
