"""Flags in random company, with values of every kind, for every command there is: an answer or one line."""

import functools
import json

from common import ROOT, Run, loop

VALUES = [
    "", "-", "-1", "0", "1", "2", "7", "1e3", "-5", "nan", "inf", "-inf", "1e308", "1e-320", "0x1p-3", "9223372036854775807",
    "-9223372036854775808", "18446744073709551615", "99999999999999999999", "x.npy", "x.npy:t", "none.npy", ".", "/dev/null",
    "a,b", "1,2", ":", "é", "\x1b[2J", "*", "int8@token", "q8_0", "mxfp4:ggml", "hadamard", "json", "csv",
]
# What keeps a run short; these are not drawn again.
SHORT = {
    "rows": "2", "length": "8", "tokens": "5", "head-size": "4", "inner": "5", "b-columns": "3", "positions": "40", "tries": "20",
    "max-length": "20", "shrink": "50", "experts": "8",
}
LEFT = {"help", "version", "exhaustive", "fa3", "layers", "threads", *SHORT}


@functools.cache
def commands():
    """Every command that has none below it: its words, its arguments."""
    found = []

    def walk(command, words):
        below = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
        for c in below:
            walk(c, [*words, c["commandName"]])
        if not below:
            found.append((words, command.get("arguments", [])))

    walk(json.loads(Run(["--experimental-dump-help"], ROOT).output)["command"], [])
    return found


def value(random, argument, probability=0.6):
    own = argument.get("allValueStrings") or argument.get("allValues")
    if own and random.random() < probability:
        return random.choice(own)
    return random.choice(VALUES)


def positional(random, argument):
    name = argument.get("valueName", "")
    if argument.get("allValueStrings") or argument.get("allValues"):
        return value(random, argument, 0.9)
    if name in ("first", "second"):
        return random.choice(["mxfp4", "mxfp4:ggml", "q8_0", "x"])
    if name == "operation":
        return random.choice(["softmax", "lse", "softmax-jacobian", "attention", "matmul", "dot", "x"])
    if name == "topic":
        return random.choice(["formats", "kernels", "schemes", "cures", "distributions", "x"])
    return random.choice(["x.npy", "x.npy", "x.npy", *VALUES])


def attack(random, folder):
    words, own = random.choice(commands())
    arguments = list(words)
    for argument in own:
        if argument["kind"] == "positional" and (not argument.get("isOptional") or random.random() < 0.3):
            arguments.append(positional(random, argument))
    options = [a for a in own if a["kind"] != "positional" and a["names"][0]["name"] not in LEFT]
    flags = {n["name"] for a in own for n in a.get("names") or []}
    for name, size in SHORT.items():
        # A search goes on for minutes unless it is told how many rows to try.
        if name in flags and (name == "tries" or random.random() < 0.9):
            arguments += [f"--{name}", size]
    if "output" in flags and random.random() < 0.5:
        arguments += ["--output", "o.safetensors"]
    for argument in random.sample(options, min(len(options), random.randint(0, 4))):
        flag = "--" + argument["names"][0]["name"]
        arguments += [flag] if argument["kind"] == "flag" else [flag, value(random, argument)]
    (folder / "x.npy").write_bytes((ROOT / "fixtures/files/f4-little.npy").read_bytes())
    Run(arguments, folder, seconds=120).judge()


loop("flags", attack)
