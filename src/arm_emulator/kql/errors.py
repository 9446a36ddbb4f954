"""The one exception of the evaluator, and how Resource Graph words each kind of refusal.

Everything that is not understood, or not done faithfully, leaves this package as a `KqlError`; no other exception may.
This module must not know the grammar, and it does not build the HTTP answer: it hands out the one entry that the
endpoint puts behind `InvalidQuery` in `error.details`.
"""

from enum import StrEnum

# A recorded refusal carries this one character as the expected token (a token number written as a character); the
# recorded exchanges hold no other text for a plain "something is missing here".
RECORDED_EXPECTED_TOKEN = "\u01cf"  # noqa: S105 - a token of a grammar, no secret


class Code(StrEnum):
    """The `code` of the detail that names the fault.

    Source: `ParserFailure` from a recorded exchange; `UnknownFunction`, `InvalidQueryLanguage`,
    `DisallowedLogicalTableName`, `Operator_FailedToResolveEntity`, `ExpressionKeyCantBeDynamic`,
    `UnsupportedJoinFlavor` (MicrosoftDocs/azure-docs#45495) and
    `DisallowedMaxNumberOfRemoteTables` from answers quoted in public reports (Azure/azure-powershell#13762,
    Azure/azqr#853 and others). `InvalidQuerySemantics` is this emulator's own, for faults of which no answer is known.
    """

    PARSER = "ParserFailure"
    LANGUAGE = "InvalidQueryLanguage"
    FUNCTION = "UnknownFunction"
    TABLE = "DisallowedLogicalTableName"
    ENTITY = "Operator_FailedToResolveEntity"
    DYNAMIC_KEY = "ExpressionKeyCantBeDynamic"
    JOIN_FLAVOR = "UnsupportedJoinFlavor"
    REMOTE_TABLES = "DisallowedMaxNumberOfRemoteTables"
    SEMANTICS = "InvalidQuerySemantics"


class KqlError(Exception):
    """A query that Resource Graph, or this emulator of it, does not run.

    `line` counts from 1 and `position` is the character's place in its line, from 0, as Resource Graph counts them.
    `token` is the offending text (`<EOF>` at the end); `expected` is what would have been accepted, or empty.
    """

    def __init__(self, message: str, code: Code, line: int, position: int, token: str, expected: str = "") -> None:
        super().__init__(f"{message} (line {line}, character {position}, at {token!r})")
        self.message = message
        self.code = code
        self.line = line
        self.position = position
        self.token = token
        self.expected = expected

    def detail(self) -> dict[str, object]:
        """Return the entry of `error.details` that stands behind `InvalidQuery`, in Resource Graph's own form.

        Source: a recorded exchange for `ParserFailure`; Azure/azure-powershell#13762 for `InvalidQueryLanguage`, which
        answers line and position -1 whatever the place; the others carry a code and a message only.
        """
        if self.code is Code.PARSER:
            place: dict[str, object] = {
                "code": str(self.code),
                "message": str(self.code),
                "line": self.line,
                "characterPositionInLine": self.position,
                "token": self.token,
            }
            return place | {"expectedToken": self.expected} if self.expected else place
        if self.code is Code.LANGUAGE:
            return {
                "code": str(self.code),
                "message": str(self.code),
                "line": -1,
                "characterPositionInLine": -1,
                "token": self.token,
            }
        return {"code": str(self.code), "message": self.message}
