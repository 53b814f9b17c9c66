"""compile_commands.py COMMAND FILE...: how each C++ file is compiled, for editors (on stdout)."""

import json
import pathlib
import sys

command, *files = sys.argv[1:]
root = str(pathlib.Path(__file__).resolve().parent.parent)
json.dump([{"directory": root, "file": file, "command": f"{command} -c {file}"} for file in files],
          sys.stdout, indent=1)
