"""Decision logs for tests, written and read by the real code."""

import gzip
import json

from stockade.authz.log import DecisionLog
from stockade.authz.log_verify import files_of, verify


def decision(number, size=0):
    return {"decision_id": f"id-{number}", "text": "x" * size}


def written(path, count):
    """A closed log of that many records; its first line is the one that begins the file."""
    log = DecisionLog(path)
    for number in range(count):
        log.append(decision(number))
    log.close()
    return log


def ids(path):
    read = [(each.suffix, each.read_bytes()) for each in files_of(path)]
    texts = [gzip.decompress(text) if suffix == ".gz" else text for suffix, text in read]
    lines = b"".join(texts).decode().splitlines()
    return [json.loads(line).get("decision_id") for line in lines]


def codes(path, expect=None):
    return [flaw.code for flaw in verify(files_of(path), expect).flaws]


def events(path):
    lines = b"".join(each.read_bytes() for each in files_of(path)).decode().splitlines()
    return [event for line in lines if (event := json.loads(line).get("event"))]
