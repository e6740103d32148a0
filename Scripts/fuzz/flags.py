"""Flags in random company, with values of every kind: an answer or one line."""

import functools
import json

from common import ROOT, Run, loop

VALUES = [
    "", "-", "-1", "0", "1", "2", "7", "1e3", "-5", "nan", "inf", "-inf", "1e308", "1e-320", "0x1p-3", "9223372036854775807",
    "-9223372036854775808", "18446744073709551615", "99999999999999999999", "x.npy", "x.npy:t", "none.npy", ".", "/dev/null",
    "a,b", "1,2", ":", "é", "\x1b[2J", "*", "int8@token", "q8_0", "mxfp4:ggml", "hadamard", "json", "csv",
]
# What keeps a run short.
SHORT = ["--rows", "2", "--length", "8"]


@functools.cache
def commands():
    help = json.loads(Run(["--experimental-dump-help"], ROOT).output)
    found = {}
    for command in help["command"]["subcommands"]:
        if command["commandName"] != "help":
            found[command["commandName"]] = [a for a in command.get("arguments", []) if a["kind"] != "positional"]
    return found


def value(random, argument):
    own = argument.get("allValueStrings") or argument.get("allValues")
    if own and random.random() < 0.6:
        return random.choice(own)
    return random.choice(VALUES)


def attack(random, folder):
    name = random.choice(sorted(commands()))
    arguments = [name]
    if name == "dialect":
        arguments += ["mxfp4", random.choice(["mxfp4:ggml", "q8_0", "x"])]
    if name == "reference":
        arguments += [random.choice(["softmax", "lse", "softmax-jacobian"]), "--output", "o.safetensors"]
    if name == "list":
        arguments += [random.choice(["formats", "kernels", "schemes", "cures", "distributions"])]
    if name == "activations":
        arguments += ["x.npy"]
    flags = {n["name"] for a in commands()[name] for n in a["names"]}
    if {"rows", "length"} <= flags and random.random() < 0.9:
        arguments += SHORT
    if "tokens" in flags and random.random() < 0.9:
        arguments += ["--tokens", "5", "--head-size", "4"]
    for argument in random.sample(commands()[name], min(len(commands()[name]), random.randint(0, 4))):
        flag = "--" + argument["names"][0]["name"]
        if flag in ("--help", "--version", "--exhaustive", "--fa3", "--rows", "--length", "--layers", "--threads"):
            continue
        arguments += [flag] if argument["kind"] == "flag" else [flag, value(random, argument)]
    (folder / "x.npy").write_bytes((ROOT / "fixtures/files/f4-little.npy").read_bytes())
    Run(arguments, folder, seconds=120).judge()


loop("flags", attack)
