"""Tensor files with bytes changed, cut, doubled, moved: each command answers or refuses in one line."""

from common import ROOT, Finding, Run, loop

SEEDS = [
    p.read_bytes() for p in sorted((ROOT / "fixtures/files").glob("*")) if p.suffix in (".npy", ".npz", ".safetensors", ".gguf")
] + [b'{"metadata":{"total_size":24},"weight_map":{"a":"s.safetensors","b":"gone.safetensors"}}']
EXTREMES = [0, 1, 2**64 - 1, 2**64 - 8, 2**63, 2**63 - 1, 2**32, 2**32 - 1, 2**31, 2**40]
NAMES = ["\x1b[31mRED", "\x9b2J", "a\rb", "a\tb", "\u2028", "\u202eabc", "=1+1", "+x", "é", "e\u0301", "a*b.1", "x,\u0301y", "<\u0338>"]


def mutate(random, data):
    data = bytearray(data)
    for _ in range(random.randint(1, 5)):
        if len(data) < 9:
            return bytes(data)
        place, kind = random.randrange(len(data)), random.randrange(9)
        if kind == 0:
            data[place] = random.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 2:
            del data[len(data) - random.randint(1, min(64, len(data) - 1)):]
        elif kind == 3:
            del data[place]
        elif kind == 4:
            data[place:place] = data[place:place + random.randint(1, 40)]
        elif kind == 5:
            field = random.choice(EXTREMES).to_bytes(8, "little")[:random.choice([1, 2, 4, 8])]
            data[place:place + len(field)] = field
        elif kind == 6:
            digits = [i for i in range(place, min(place + 64, len(data))) if 48 <= data[i] < 58]
            if digits:
                data[digits[0]] = random.randrange(48, 58)
        elif kind == 7:
            data[place] = random.randrange(13)
        else:
            name = random.choice(NAMES).encode()
            data[place:place + len(name)] = name
    return bytes(data)


def attack(random, folder):
    (folder / "s.safetensors").write_bytes(
        b'\x38\0\0\0\0\0\0\0{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}} ' + bytes(8))
    data = mutate(random, random.choice(SEEDS))
    name = random.choice(["f", "f.npy", "f.npz", "f.safetensors", "f.gguf", "f.json"])
    (folder / name).write_bytes(data)
    command = random.choice([
        ["activations", name], ["activations", name, "--axis", "0", "--format", "json"], ["quantize", name, "--scheme", "q8_0"],
        ["quantize", name, "--scheme", "int8@channel", "--axis", "0", "--format", "json", "--rows", "64"],
        ["softmax", name, "--algorithm", "shifted", "--rows", "8", "--format", "json"],
        ["attention", name, name, name, "--algorithm", "flash", "--mask", name], ["lse", "-", "--rows", "4"],
        ["reference", "softmax", name, "--rows", "8", "--output", "o.safetensors"],
    ])
    run = Run(command, folder, stdin=data if "-" in command else None).judge()
    if (folder / name).read_bytes() != data:
        raise Finding(f"the input was changed: {command}")
    if run.status == 2 and (folder / "o.safetensors").exists():
        raise Finding(f"an output with status 2: {command}")


loop("files", attack)
