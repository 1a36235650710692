"""Holds schema/mesh.schema.json against the files that jmesh accepts and refuses.

Every good file must pass the schema, and every bad one must fail it (or be no YAML at all), but for those
in UNSAID, which break a rule that JSON Schema has no words for. Needs python3-yaml and python3-jsonschema.
"""

import json
import pathlib
import re
import sys

import jsonschema
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Bad files that the schema must let pass, and why it cannot know better.
UNSAID = {
    "code-secret": "computes a check digit",
    "rendezvous-self": "compares texts in two places",
    "duplicate-addresses": "compares entries of a list by one key",
    "duplicate-jails": "compares entries of a list by one key",
    "duplicate-peers": "compares entries of a list by one key",
    "duplicate-roster-addresses": "compares entries of several lists",
    "duplicate-roster-jails": "compares entries of a list by one key",
    "tag": "a tag is gone before a schema sees the value",
    "utf16": "a schema does not see the encoding",
    "version-leading": "01 is the number 1 to YAML",
    "zone-names": "adds up the lengths of texts in several places",
    "zone-names-peer": "adds up the lengths of texts in several places",
}


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, which editors read, and no key twice."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len({str(key) for key in keys}):
            raise yaml.YAMLError("a key comes twice")
        return yaml.constructor.BaseConstructor.construct_mapping(self, node, deep=deep)


for tag, pattern, first in [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
]:
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:" + tag, re.compile("^(?:%s)$" % pattern), first
    )
# Only the value of a known tag counts here; jmesh refuses the others itself.
Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def refusal(validator, path):
    """Why the file is refused, or None."""
    try:
        value = yaml.load(path.read_bytes(), Loader)
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as broken:
        return "not YAML: %s" % str(broken).splitlines()[0]
    return None if error is None else "%s: %s" % (error.json_path, error.message[:200])


def keys_of(value, under="properties"):
    """Every key that a schema names, or that a file uses."""
    if isinstance(value, list):
        return set().union(*(keys_of(entry, under) for entry in value))
    if not isinstance(value, dict):
        return set()
    found = set(value.get(under, {}) if under else value)
    return found.union(*(keys_of(entry, under) for entry in value.values()))


def main():
    schema = json.loads((ROOT / "schema/mesh.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.FormatChecker()
    )
    good = sorted(HERE.glob("validate/good/*.yaml")) + sorted(ROOT.glob("examples/*.yaml"))
    bad = sorted(HERE.glob("validate/bad/*.yaml"))
    wrong = []
    for path in good:
        why = refusal(validator, path)
        if why is not None:
            wrong.append("%s is good, but the schema refuses it: %s" % (path.name, why))
    for path in bad:
        why = refusal(validator, path)
        if path.stem in UNSAID and why is not None:
            wrong.append("%s: the schema refuses it after all: %s" % (path.name, why))
        elif path.stem not in UNSAID and why is None:
            wrong.append("%s is bad, but the schema lets it pass" % path.name)
    for name in sorted(set(UNSAID) - {path.stem for path in bad}):
        wrong.append("%s is in UNSAID, but there is no such file" % name)
    full = yaml.load((ROOT / "examples/full.yaml").read_bytes(), Loader)
    for key in sorted(keys_of(schema) ^ keys_of(full, None)):
        wrong.append("the key '%s' is only in one of the schema and full.yaml" % key)
    print("\n".join(wrong))
    return 1 if wrong or not good or not bad else 0


if __name__ == "__main__":
    sys.exit(main())
