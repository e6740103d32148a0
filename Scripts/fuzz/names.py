"""Names from files in every format of report: nothing of them drives a terminal, breaks a table, a JSON, a CSV or an SVG."""

import csv
import io
import json
import re
import struct
import xml.etree.ElementTree

from common import Finding, Run, loop

PIECES = [
    "\x1b[31m", "\x9b2J", "\r", "\n", "\t", "\u2028", "\u2029", "\u202e", "\u2066", "|", "\\", "`", "*", "_", "<b>", "&", "&amp;", '"', "'",
    ",", ";", "=1+1", "+x", "-x", "@x", "\u0301", "e\u0301", "é", "\U0001f469\u200d\U0001f52c", "\x00", "\x7f", "a" * 200, "]]>", "<!--", "$(x)",
    "%s", "blk.0", "layer.10.", "../x", " ", "\ufeff", "\ufffe", "#", "::error::",
]
FORMATS = ["text", "json", "markdown", "csv", "junit"]


def name(random):
    return "".join(random.choice(PIECES) for _ in range(random.randint(1, 4)))


def attack(random, folder):
    names = {name(random) for _ in range(random.randint(1, 3))}
    header = {n: {"dtype": "F32", "shape": [2, 32], "data_offsets": [256 * i, 256 * i + 256]} for i, n in enumerate(sorted(names))}
    text = json.dumps(header, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    values = struct.pack("<64f", *[random.uniform(-3, 3) for _ in range(64)])
    (folder / "n.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + values * len(header))
    chosen = random.choice(sorted(names))
    kind = random.choice(FORMATS)
    command = random.choice([
        ["activations", "n.safetensors"], ["quantize", "n.safetensors", "--scheme", "int8@token"],
        ["quantize", "n.safetensors", "--recommend", "--max-bits", "5", "--scheme", "q8_0", "--scheme", "int4@g32"],
        ["softmax", "--input", "n.safetensors:" + chosen.replace("\x00", ""), "--algorithm", "shifted"],
    ]) + ["--format", kind]
    if command[0] == "activations" and random.random() < 0.4:
        command += ["--svg", "o.svg"]
    run = Run(command, folder).judge()
    if run.status == 2:
        return
    output = run.output.decode()
    try:
        if kind == "json":
            json.loads(output)
        elif kind == "csv":
            rows = list(csv.reader(io.StringIO(output, newline=""), strict=True))
            if len({len(r) for r in rows}) > 1:
                raise Finding(f"rows of {sorted({len(r) for r in rows})} columns: {command} {names}")
            for cell in (c for r in rows[1:] for c in r):
                if re.match(r"[=+@\t\r]|-[^0-9.in]", cell):
                    raise Finding(f"a live formula {cell!r}: {command} {names}")
        elif kind == "markdown":
            width = None
            for line in output.split("\n"):
                if not line.startswith("|"):
                    width = None
                    continue
                cells = len(re.findall(r"(?<!\\)\|", line))
                if width not in (None, cells):
                    raise Finding(f"{cells} columns below {width}: {command} {names}")
                width = cells
        elif kind == "junit":
            xml.etree.ElementTree.fromstring(output)
        if (folder / "o.svg").exists():
            xml.etree.ElementTree.parse(folder / "o.svg")
    except (ValueError, csv.Error, xml.etree.ElementTree.ParseError) as error:
        raise Finding(f"not well-formed ({error}): {command} {names}")


loop("names", attack)
