"""How each C++ file is compiled, for editors: -m tests.compile_commands COMMAND FILE..."""

import json
import pathlib
import sys

command, *files = sys.argv[1:]
root = str(pathlib.Path(__file__).resolve().parent.parent)
json.dump([{"directory": root, "file": file, "command": f"{command} -c {file}"} for file in files],
          sys.stdout, indent=1)
