"""Outputs that are inputs by another name: refused, and the inputs stay as they were."""

import os

from common import ROOT, Finding, Run, hidden, loop

DATA = (ROOT / "fixtures/files/f4-little.npy").read_bytes()
NAMES = [b"x.npy", b"a b.npy", b"\xff\xfe.npy", "é.npy".encode(), "e\u0301.npy".encode(), b"c:d.npy", b"-x.npy", b"\xf4\x8f\xbf\xbf.npy"]
# {} is the input.
COMMANDS = [
    ["softmax", "{}", "--algorithm", "shifted", "--output"], ["reference", "softmax", "--input", "{}", "--output"],
    ["quantize", "--input", "{}", "--scheme", "int8@token", "--output"], ["quantize", "--input", "{}", "--scheme", "int8@token", "--raw"],
    ["quantize", "--rows", "8", "--length", "5", "--activations", "{}", "--scheme", "int8@token", "--calibration", "mse", "--output"],
    ["attention", "--q", "{}", "--k", "{}", "--v", "{}", "--algorithm", "flash", "--output"],
    ["reference", "attention", "--q", "{}", "--k", "{}", "--v", "{}", "--output"],
    ["activations", "{}", "--svg"],
]


def alias(random, folder, name):
    """Another name of folder/name."""
    kind = random.randrange(7)
    other = folder.joinpath(f"other{len(os.listdir(folder))}.npy")
    target = os.fsencode(folder) + b"/" + name
    if kind == 0:
        return name
    if kind == 1:
        return b"./" + name
    if kind == 2:
        return target
    if kind == 3:
        os.link(target, other)
    elif kind == 4:
        os.symlink(random.choice([target, name]), other)
    elif kind == 5:
        chain = f"chain{len(os.listdir(folder))}.npy"
        os.symlink(name, folder / chain)
        os.symlink(chain, other)
    else:
        os.makedirs(folder / "d", exist_ok=True)
        if not os.path.islink(folder / "d/up"):
            os.symlink("..", folder / "d/up")
        return b"d/up/" + name
    return os.fsencode(other.name)


def attack(random, folder):
    name = random.choice(NAMES)
    path = os.fsencode(folder) + b"/" + name
    with open(path, "wb") as file:
        file.write(DATA)
    given = b"./" + name if name.startswith(b"-") else name
    if random.random() < 0.3:
        given = alias(random, folder, name) if not name.startswith(b"-") else given
    output = alias(random, folder, name)
    command = [given if part == "{}" else part for part in random.choice(COMMANDS)] + [b"./" + output if output.startswith(b"-") else output]
    run = Run(command, folder).judge()
    with open(path, "rb") as file:
        if file.read() != DATA:
            raise Finding(f"an input was written over: {command}")
    if run.status == 0:
        raise Finding(f"not refused: {command}")
    if hidden(folder):
        raise Finding(f"left {hidden(folder)}: {command}")


loop("aliases", attack)
