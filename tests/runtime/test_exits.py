"""Facts about what a process does at its end."""

from __future__ import annotations

import subprocess
import sys

CODE = """
from mlmon_exporter.runtime.exits import close_at_exit

class Owner:
    def __init__(self, name):
        self.name = name
        close_at_exit(self.close)

    def close(self):
        print("closed", self.name)

kept, gone = Owner("kept"), Owner("gone")
del gone
print("ends")
"""


def test_an_object_that_is_still_there_is_closed_and_none_is_kept_alive() -> None:
    run = [sys.executable, "-c", CODE]
    result = subprocess.run(run, capture_output=True, text=True, check=True)
    assert result.stdout == "ends\nclosed kept\n"
