"""What a build adds to pyproject.toml: the project's addresses, and its README as the long description.

A package index shows the README where no file of the project is beside it. `PATCHMODE_REPOSITORY` says where they are
(https://HOST/OWNER/NAME, as .github/workflows/release.yaml sets it): links and pictures then lead to the files of the
version's tag there. Without it there are no addresses, the text of a link into the project is text, and pictures are
left out.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PIECE = re.compile(
    r"(?P<code>^```.*?^```$|`[^`\n]+`)"
    r"|(?P<comment><!--.*?-->\n*)"
    r"|(?P<opening>!?\[)(?P<label>[^\[\]]*)\]\((?P<target>[^)\s]+)\)",
    re.MULTILINE | re.DOTALL,
)


def relinked(text: str, lead: Callable[[str, bool], str | None]) -> str:
    """A page's text for another place: without comments, and each link with another target. Code stays as it is.

    Args:
        text: Markdown, as the pages of this project are written: a link is on one line and has no title.
        lead: given a link's target, and whether it is a picture's, the target there; None: there is none, so that the
            link's text is text, and a picture is left out.
    """

    def piece(found: "re.Match[str]") -> str:
        if found["code"] or found["comment"]:
            return found["code"] or ""
        is_picture = found["opening"] == "!["
        target = lead(found["target"], is_picture)
        if target is None:
            return "" if is_picture else found["label"]
        return f"{found['opening']}{found['label']}]({target})"

    return _PIECE.sub(piece, text)


class AddressesHook(MetadataHookInterface):
    """Hatchling calls it for the fields that pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `urls` and `readme`.

        Raises:
            ValueError: `PATCHMODE_REPOSITORY` is not an https address.
        """
        root, repository = Path(self.root), os.environ.get("PATCHMODE_REPOSITORY", "").rstrip("/")
        if repository and not repository.startswith("https://"):
            raise ValueError(f"PATCHMODE_REPOSITORY must be https://HOST/OWNER/NAME, not {repository!r}")
        tag = f"v{metadata['version']}"

        def lead(target: str, is_picture: bool) -> str | None:
            if re.match(r"#|[a-z]+:", target):
                return target
            kind = "raw" if is_picture else "tree" if (root / target.partition("#")[0]).is_dir() else "blob"
            return f"{repository}/{kind}/{tag}/{target}" if repository else None

        metadata["urls"] = (
            {
                "Source": repository,
                "Documentation": f"{repository}/blob/{tag}/docs/README.md",
                "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
            if repository
            else {}
        )
        text = relinked((root / "README.md").read_text(encoding="utf-8"), lead)
        metadata["readme"] = {"content-type": "text/markdown", "text": re.sub(r"\n{3,}", "\n\n", text)}
