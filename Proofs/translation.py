"""A C function of the certified loops as Gappa and Sollya read it.

Only straight code over f64x8 is understood: constants, + - * /, fma8, abs8, and assignments. Each lane is one number, so an f64x8
is one too. What a script doesn't want from C (a table's look-up, integers made of bits) it leaves out by naming where to stop.
"""

import re
from fractions import Fraction

TOKEN = re.compile(r"\s*(0x[0-9a-fA-F.]+p[+-]?\d+|\d+\.?\d*(?:e[+-]?\d+)?|[A-Za-z_]\w*|[-+*/(),&<>=\[\]{};.?:])")


class Unknown(Exception):
    """C that isn't straight code over f64x8."""


def number(text):
    return Fraction(float.fromhex(text)) if text.startswith("0x") else Fraction(float(text))


def hexadecimal(value):
    """The Double, exactly, as both tools read it; brackets keep a sign apart."""
    text = float(value).hex().replace("0x1.0000000000000p", "0x1p").replace("p+", "p")
    assert Fraction(float(value)) == value
    return text if value >= 0 else f"({text})"


class Parser:
    """An expression of C as a tree: ("+", a, b), ("fma", a, b, c), ("neg", a), ("number", x), ("name", x)."""

    def __init__(self, text, choice=""):
        self.choice = choice
        self.tokens = TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s", "", text):
            raise Unknown(text)
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected=None):
        token = self.peek()
        if not token or expected and token != expected:
            raise Unknown(f"{expected or 'more'} at {self.tokens[self.at:]}")
        self.at += 1
        return token

    def whole(self):
        tree = self.sum()
        if self.peek():
            raise Unknown("".join(self.tokens))
        return tree

    def sum(self):
        tree = self.product()
        while self.peek() in ("+", "-"):
            tree = folded((self.take(), tree, self.product()))
        return tree

    def product(self):
        tree = self.unary()
        while self.peek() in ("*", "/"):
            tree = folded((self.take(), tree, self.unary()))
        return tree

    def unary(self):
        token = self.take()
        if token == "-":
            tree = self.unary()
            return ("number", -tree[1]) if tree[0] == "number" else ("neg", tree)
        if token == "*":
            return ("name", self.take())
        if token == "(":
            if self.tokens[self.at : self.at + 2] == ["f64x8", ")"]:
                self.at += 2
                return self.unary()
            tree = self.sum()
            self.take(")")
            return tree
        if re.match(r"\d", token):
            return ("number", number(token))
        if token == "MAGIC":
            return ("number", Fraction(3 * 2**51))
        if self.peek() != "(":
            return ("name", token)
        self.take("(")
        if token == "select8":
            return self.chosen()
        arguments = [self.sum()]
        while self.peek() == ",":
            self.take()
            arguments.append(self.sum())
        self.take(")")
        name = {"fma8": "fma", "abs8": "abs"}.get(token)
        if not name:
            raise Unknown(token)
        return (name, *arguments)

    def chosen(self):
        """Of select8(mask, a, b) what `choice` says: 1 or 2."""
        depth = 0
        while depth or self.peek() != ",":
            token = self.take()
            depth += (token == "(") - (token == ")")
        self.take(",")
        a = self.sum()
        self.take(",")
        b = self.sum()
        self.take(")")
        if self.choice not in ("1", "2"):
            raise Unknown("select8")
        return a if self.choice == "1" else b


def folded(tree):
    """C folds constants in Double, rounding each operation."""
    operator, a, b = tree
    if a[0] == b[0] == "number":
        x, y = a[1], b[1]
        exact = x + y if operator == "+" else x - y if operator == "-" else x * y if operator == "*" else x / y
        return ("number", Fraction(float(exact)))  # correctly rounded
    return tree


class Code:
    """The assignments of a function in order, each variable of its own name: the last p is p, those before p_1, p_2, …"""

    def __init__(self, path, function, choice=""):
        text = re.sub(r"//[^\n]*", "", open(path, encoding="utf-8").read())
        found = re.search(rf"^static inline \w+ {function}\(([^)]*)\)\s*{{(.*?)^}}", text, re.M | re.S)
        if not found:
            raise Unknown(f"no {function} in {path}")
        self.source = f"{path}:{function}"
        # A look-up per lane is left to the script.
        body = re.sub(r"for \([^)]*\) {[^}]*}", "", found[2])
        found = []
        for statement in body.split(";"):
            statement = statement.strip()
            assignment = re.fullmatch(r"(?:const )?(?:f64x8 )?(\*?\w+) = (.*)", statement, re.S)
            if not assignment:
                # What is assigned on a condition, or added to, is not known afterwards.
                found += [(name, None) for name in re.findall(r"(\w+)(?:\[\w+\])? [-+*/|&^]?= ", statement)]
                continue
            name = assignment[1].lstrip("*")
            try:
                found.append((name, Parser(assignment[2], choice).whole()))
            except Unknown:
                found.append((name, None))
        last = {name: i for i, (name, _) in enumerate(found)}
        counts, current, self.steps = {}, {}, {}
        for i, (name, tree) in enumerate(found):
            counts[name] = counts.get(name, 0) + 1
            own = name if last[name] == i else f"{name}_{counts[name]}"
            if tree:
                self.steps[own] = renamed(tree, current)
            # A constant stands where it is used.
            current[name] = self.steps[own] if tree and tree[0] == "number" else ("name", own)

    def __getitem__(self, name):
        if name not in self.steps:
            raise Unknown(f"{self.source} has no {name} that is understood")
        return self.steps[name]

    def needed(self, names, given):
        """What `names` are made of, in the order of the code, as far as `given`."""
        wanted, open_ = set(), [n for n in names if n not in given]
        while open_:
            name = open_.pop()
            if name in wanted:
                continue
            wanted.add(name)
            open_ += [n for n in variables(self[name]) if n not in given]
        return [n for n in self.steps if n in wanted]

    def rounded(self, names, given):
        """Definitions for Gappa, every operation rounded; a TwoSum's error is exact (Knuth)."""
        return [f"{n} = {self.gappa(self[n])};" for n in self.needed(names, given)]

    def exact(self, names, given):
        """The same without a rounding, as Mname."""
        needed = self.needed(names, given)
        return [f"M{n} = {self.plain(self[n], {m: 'M' + m for m in needed})};" for n in needed]

    def formula(self, name, given):
        """A step without a rounding as one formula of what `given` says its variables are."""
        meaning = dict(given)
        for n in self.needed([name], set(given)):
            meaning[n] = self.plain(self[n], meaning)
        return meaning[name]

    def constant(self, name, index):
        return hexadecimal(constants(self[name])[index])

    def gappa(self, tree):
        error = self.two_sum(tree, self.gappa)
        if error:
            return error
        kind = tree[0]
        if kind == "number":
            return hexadecimal(tree[1])
        if kind == "name":
            return tree[1]
        if kind == "neg":
            return f"(-{self.gappa(tree[1])})"
        if kind == "abs":
            return f"|{self.gappa(tree[1])}|"
        if kind == "fma":
            return f"d64({fused(*[self.gappa(t) for t in tree[1:]])})"
        return f"d64({self.gappa(tree[1])} {kind} {self.gappa(tree[2])})"

    def plain(self, tree, names):
        kind = tree[0]
        if kind == "number":
            return hexadecimal(tree[1])
        if kind == "name":
            return names.get(tree[1], tree[1])
        error = self.two_sum(tree, lambda t: self.plain(t, names))
        if error:
            return error
        parts = [self.plain(t, names) for t in tree[1:]]
        if kind == "neg":
            return f"(-{parts[0]})"
        return f"({fused(*parts)})" if kind == "fma" else f"({parts[0]} {kind} {parts[1]})"

    def two_sum(self, tree, write):
        """(a - (s - z)) ± (b ∓ z) where s = a ± b and z = s - a: what s lacks, exactly (Knuth)."""
        try:
            outer, (minus, a, (minus2, s, z)), (inner, b, z2) = tree
        except ValueError:
            return None
        if z != z2 or minus != "-" or minus2 != "-" or (outer, inner) not in (("+", "-"), ("-", "+")):
            return None
        if s[0] != "name" or self.steps.get(s[1]) != (outer, a, b) or self.steps.get(z[1]) != ("-", s, a):
            return None
        return f"(({write(a)} {outer} {write(b)}) - {write(s)})"


def fused(a, b, c):
    if a.startswith("(-"):
        return f"{c} - {a[2:-1]} * {b}"
    return f"{a} * {b} - {c[2:-1]}" if c.startswith("(-") else f"{a} * {b} + {c}"


def variables(tree):
    if tree[0] == "name":
        return [tree[1]]
    return [] if tree[0] == "number" else [n for t in tree[1:] for n in variables(t)]


def constants(tree):
    if tree[0] == "number":
        return [tree[1]]
    return [] if tree[0] == "name" else [x for t in tree[1:] for x in constants(t)]


def renamed(tree, names):
    if tree[0] == "name":
        return names.get(tree[1], tree)
    return tree if tree[0] == "number" else (tree[0], *[renamed(t, names) for t in tree[1:]])
