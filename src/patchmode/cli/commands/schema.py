"""`patchmode schema`. Must not: print anything but a published file, to the byte."""

from importlib.resources import files

import click

from patchmode.cli import exits
from patchmode.cli.choices import Fixed
from patchmode.cli.group import Command

_FOLDER = files("patchmode.documents") / "schemas"
_ENDING = "-v1.json"
_NAMES = tuple(sorted(one.name.removesuffix(_ENDING) for one in _FOLDER.iterdir() if one.name.endswith(_ENDING)))
# What a reader has at hand: the member `format` of a document, and the name of the file.
_ALSO = {spelled: name for name in _NAMES for spelled in (f"patchmode/{name}/v1", f"{name}{_ENDING}")}


@click.command(cls=Command)
@click.argument("name", metavar="NAME", type=Fixed(_NAMES, also=_ALSO))
def command(name: str) -> exits.Exit:
    """Print the JSON Schema of a document, such as plan or run.

    NAME is the middle of the document's `format`: plan for patchmode/plan/v1, which may be given whole. The schema is
    of JSON Schema draft 2020-12, and is printed as it is published; no option changes its form.
    """
    click.echo((_FOLDER / f"{name}{_ENDING}").read_bytes(), nl=False)
    return exits.of_listing()
