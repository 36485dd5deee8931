"""Reads lines of records from stdin and says of each whether validators that are not ours take it.

    validate.py ocsf|ecs|cef [FIELDS]

It prints one line of JSON for each line: null when all take it, or what is wrong."""

import ipaddress
import json
import logging
import re
import sys


def ocsf():
    import jsonschema
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0")).get_class_schema("api_activity")
    validator = jsonschema.Draft202012Validator(schema)

    def check(line):
        errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(json.loads(line))]
        return "; ".join(errors)[:500] or None

    return check


def ecs(fields):
    rows = [row.rstrip("\n").split("\t") for row in open(fields) if not row.startswith("#")]
    known = {name: (kind, many, words.split(",") if words else None) for name, kind, many, words in rows}

    def leaves(value, name=""):
        if isinstance(value, dict) and known.get(name, ("",))[0] != "object":
            for key, inner in value.items():
                yield from leaves(inner, f"{name}.{key}" if name else key)
        else:
            yield name, value

    def one(kind, words, value):
        if kind == "object":
            return isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values())
        if not isinstance(value, str):
            return False
        if kind == "ip":
            ipaddress.ip_address(value)
        if kind == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value):
            return False
        return words is None or value in words

    def check(line):
        document = json.loads(line)
        for name, value in leaves(document):
            if name not in known:
                return f"{name} is no field of ECS"
            kind, many, words = known[name]
            if (many == "array") != isinstance(value, list):
                return f"{name} is to be {many}"
            for inner in value if isinstance(value, list) else [value]:
                if not one(kind, words, inner):
                    return f"{name}: {inner!r} is no {kind} that is allowed"
        return None if "@timestamp" in document else "@timestamp is missing"

    return check


def cef():
    import pycef
    from cefevent import CEFEvent
    from cefevent.extensions import extension_dictionary

    logging.disable(logging.CRITICAL)

    def check(line):
        header = re.split(r"(?<!\\)(?:\\\\)*\|", line)
        if len(header) < 8 or header[0] != "CEF:0" or not 0 <= int(header[6]) <= 10:
            return "the header is none of version 0"
        ends = [match.end() for match in re.finditer(r"(?:[^\\|]|\\.)*\|", line)]
        extension = line[ends[6]:]
        # pycef reads no header with an escape or an =.
        if not re.search(r"[\\=]", line[: ends[6]]):
            parsed = pycef.parse(line)
            if parsed is None or parsed["Name"] != header[5]:
                return "pycef does not read the header"
        pairs = re.findall(r"(?:^|(?<=\s))(\w+)=((?:\\.|[^\\=])*)(?=\s\w+=|$)", extension)
        if " ".join(f"{name}={value}" for name, value in pairs) != extension:
            return "an = or a \\ is not escaped"
        for name, value in pairs:
            if name not in extension_dictionary:
                return f"cefevent knows no key {name}"
            value = value.replace("\\=", "=").replace("\\\\", "\\")
            # Lengths are those of ArcSight's columns, which the ids of accounts and records may pass.
            short = value[: extension_dictionary[name].get("length") or None]
            if not CEFEvent().set_field(name, short):
                return f"cefevent does not take {value!r} for {name}"
        return None

    return check


check = {"ocsf": ocsf, "ecs": ecs, "cef": cef}[sys.argv[1]](*sys.argv[2:])
for line in sys.stdin.buffer.read().decode().split("\n"):
    if line:
        try:
            print(json.dumps(check(line)))
        except (ValueError, KeyError, IndexError) as error:
            print(json.dumps(f"it cannot be read: {error}"))
