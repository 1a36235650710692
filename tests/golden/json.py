#!/usr/bin/env python3
"""Holds one JSON text against a schema: python3 tests/golden/json.py SCHEMA < output

Exit status: 0 it agrees; 1 it does not, with a line for each disagreement.
"""

# Python looks for modules beside the script first, and this one's name is a module's.
import sys

sys.path.pop(0)

import collections
import json

import jsonschema


def no_duplicates(pairs):
    keys = collections.Counter(key for key, _ in pairs)
    for key, n in keys.items():
        if n > 1:
            raise ValueError(f"the key '{key}' comes twice in one object")
    return dict(pairs)


def summary_errors(value):
    """What a schema cannot say: a summary counts the changes beside it."""
    if not isinstance(value, dict) or "summary" not in value:
        return
    counted = collections.Counter(change["action"] for change in value["changes"])
    for action, n in value["summary"].items():
        if counted[action] != n:
            yield f"$.summary.{action}: {n}, but there are {counted[action]} such changes"


def errors(schema, text):
    try:
        value = json.loads(text, object_pairs_hook=no_duplicates)
    except ValueError as problem:
        return [f"not one JSON value: {problem}"]
    found = jsonschema.Draft202012Validator(schema).iter_errors(value)
    said = sorted(f"{problem.json_path}: {problem.message}" for problem in found)
    return said or list(summary_errors(value))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: json.py SCHEMA < output")
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    said = errors(schema, sys.stdin.buffer.read().decode("utf-8", "surrogateescape"))
    for line in said:
        print(f"{sys.argv[1]}: {line}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
