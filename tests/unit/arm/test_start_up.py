"""Opening a connection may cost what it costs; importing the room must not."""

import subprocess
import sys


def test_the_session_loads_no_client_libraries() -> None:
    """`patchmode --help` has 200 ms; aiohttp and azure-identity alone take longer."""
    code = "import sys, patchmode.arm.session; print(sorted({'aiohttp', 'azure.core'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
