"""Conditions and expressions of policy definitions, each against what Microsoft's reference says of it."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from patchmode.rules.policy.conditions import Scene, _like, holds
from patchmode.rules.policy.expressions import Surrounding, UnknownError, evaluate

VM = "Microsoft.Compute/virtualMachines"
DOCUMENT: dict[str, Any] = {
    "id": "/subscriptions/1/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/web-1",
    "name": "web-1",
    "type": "Microsoft.Compute/virtualMachines",
    "location": "westeurope",
    "tags": {"ring": "1", "Owner": "Anna"},
    "properties": {
        "storageProfile": {
            "imageReference": {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "osDisk": {"osType": "Linux", "createOption": "FromImage"},
        },
        "osProfile": {"linuxConfiguration": {"patchSettings": {"automaticByPlatformSettings": {"x": True}}}},
    },
}


def scene(**parameters: Any) -> Scene:
    """The machine, looked at with these parameters."""
    return Scene(DOCUMENT, {name.lower(): value for name, value in parameters.items()}, "rg-web")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"field": "type", "equals": "microsoft.compute/VIRTUALMACHINES"}, True),
        ({"field": "Microsoft.Compute/imagePublisher", "equals": "canonical"}, True),
        ({"field": "Microsoft.Compute/imageSKU", "like": "SERV*"}, True),
        ({"field": "Microsoft.Compute/imageSKU", "like": "erv*"}, False),
        ({"field": "Microsoft.Compute/imageSku", "notLike": "gen*"}, True),
        ({"field": "Microsoft.Compute/imageOffer", "in": ["x", "Ubuntu-24_04-LTS"]}, True),
        ({"field": "Microsoft.Compute/imageOffer", "equals": "ubuntu*"}, False),
        # What the resource does not have meets no positive condition, and each negative one.
        ({"field": "Microsoft.Compute/imageId", "equals": "a"}, False),
        ({"field": "Microsoft.Compute/imageId", "notEquals": "a"}, True),
        ({"field": "Microsoft.Compute/imageId", "in": ["a"]}, False),
        ({"value": "[field('Microsoft.Compute/imageId')]", "contains": "Microsoft.Compute/galleries"}, False),
        ({"field": f"{VM}/osProfile.computerName", "exists": "false"}, True),
        ({"field": f"{VM}/osProfile.linuxConfiguration", "exists": True}, True),
        (
            {"field": f"{VM}/osProfile.linuxConfiguration.patchSettings.automaticByPlatformSettings.x", "equals": True},
            True,
        ),
        ({"field": "Microsoft.HybridCompute/machines/osName", "in": ["Linux"]}, False),
        ({"field": "location", "in": ["West Europe"]}, True),
        ({"field": "tags['OWNER']", "equals": "anna"}, True),
        ({"value": "[requestContext().apiVersion]", "greaterOrEquals": "2023-07-01"}, True),
        ({"value": "[resourceGroup().name]", "in": ["RG-WEB"]}, True),
        ({"not": {"field": "type", "equals": "x"}}, True),
        ({"anyOf": [{"field": "type", "equals": "x"}, {"field": "Odd.Type", "equals": "y"}]}, None),
        ({"allOf": [{"field": "Odd.Type", "equals": "y"}, {"field": "type", "equals": "x"}]}, False),
        ({"field": "type", "matchInsensitively": "#"}, None),
        ({"value": "[newGuid()]", "equals": "1"}, None),
    ],
)
def test_a_condition(condition: dict[str, Any], expected: bool | None) -> None:
    """Case counts in none of them, and what is not known here is not known, rather than false."""
    assert holds(condition, scene()) is expected


TAGS = {
    "count": {
        "value": "[parameters('tagValues')]",
        "name": "tagKvp",
        "where": {
            "value": "[length(intersection(createObject(current('tagKvp').key, current('tagKvp').value), "
            "field('tags')))]",
            "greater": 0,
        },
    },
    "greater": 0,
}


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("ring", "1", True), ("ring", "2", False), ("Owner", "anna", False), ("RING", "1", None), ("none", "1", False)],
)
def test_tags_are_compared_with_case(key: str, value: str, expected: bool | None) -> None:
    """The definition says that case counts; whether that is so of a tag's name as well nobody has confirmed."""
    assert holds(TAGS, scene(tagValues=[{"key": key, "value": value}])) is expected


def test_what_is_not_known_is_named() -> None:
    """So that a reader can judge for himself."""
    unknown: list[str] = []
    assert holds({"value": "[newGuid()]", "equals": "1"}, scene(), unknown) is None
    assert unknown == ["the function newguid"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("[[literal]", "[literal]"),
        ("[concat('it''s ', tolower('ME'))]", "it's me"),
        ("[if(equals(tolower(parameters('osType')), 'windows'), 'w', 'l')]", "w"),
        ("[parameters('many')[1].key]", "b"),
        ("[if(empty(field('tags')), 0, length(intersection(parameters('wanted'), field('tags'))))]", 0),
    ],
)
def test_an_expression(text: str, expected: object) -> None:
    """Texts, calls, members and indexes; of `if` only the branch that is taken."""
    parameters = {"ostype": "Windows", "many": [{"key": "a"}, {"key": "b"}], "wanted": {"a": "1"}}
    assert evaluate(text, Surrounding(parameters, lambda _: None)) == expected


@pytest.mark.parametrize("text", ["[nothing", "[tolower('a']", "[parameters('none')]", "[" + "tolower(" * 60 + "]"])
def test_what_cannot_be_evaluated(text: str) -> None:
    """It is never taken for something else; a text without an end bracket is a text."""
    if text == "[nothing":
        assert evaluate(text, Surrounding({}, lambda _: None)) == text
        return
    with pytest.raises(UnknownError):
        evaluate(text, Surrounding({}, lambda _: None))


@settings(max_examples=examples(100))
@given(
    text=st.text(alphabet="aAb.[?-\n", max_size=8),
    pattern=st.text(alphabet="aAb.[?-*\n", max_size=8),
)
def test_like_takes_stars_for_any_text_and_nothing_else(text: str, pattern: str) -> None:
    """As the expression does that says the same, and takes other than it time in proportion to the text."""
    same = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert _like(text, pattern) == (re.fullmatch(same, text, re.IGNORECASE | re.DOTALL) is not None)
