"""Runs a recipe of the guide on tokens: one a line comes in, what the recipe said of it goes out."""

import json
import runpy
import sys

verify = runpy.run_path(sys.argv[1])["verify"]
for line in sys.stdin:
    try:
        said = {"sub": verify(line.strip())["sub"]}
    except Exception as error:
        said = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(said), flush=True)
