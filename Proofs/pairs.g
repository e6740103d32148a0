# Results in pairs and by tier 0 alone, Documentation/CertifiedReference.md sections 7 to 9.
#figure SUM 1b-104
#figure QUOTIENT 2.7e-31

# log S - d with log S = lh + ll >= 0 and d = dh + dl <= 0, the larger of [1, 2] but for a power of two: no operation here
# depends on it, for nothing underflows.
#source Sources/CProof/pairs.c logarithm
#claim a logarithm, where log S is the larger: its three roundings, where 2^-101 is allowed
lh = d64(lhh);
ll = d64(lll);
dh = d64(dhh);
dl = d64(dll);
#rounded hi lo from lh ll dh dl
#exact rest from lh dh ll dl s
P = (lh + ll) - (dh + dl);
{ lh in [1, 2] /\ dh in [-2, 0] /\ |ll| <= 1b-53 /\ |dl| <= 1b-53 -> |(hi + lo) -/ P| <= 1b-103 }
hi + lo - P -> (lo - (rest - (hi - s))) + (rest - Mrest);
lo - (rest - (hi - s)) -> (lo - (rest - d64(hi - s))) - (d64(hi - s) - (hi - s));
hi - s -> rest + (hi - (s + rest));
rest - d64(hi - s) -> -(hi - (s + rest)) - (d64(hi - s) - (hi - s));
$ lh in 8, dh in 8;

#claim a logarithm, where |d| is the larger
lh = d64(lhh);
ll = d64(lll);
dh = d64(dhh);
dl = d64(dll);
#rounded hi lo from lh ll dh dl
#exact rest from lh dh ll dl s
P = (lh + ll) - (dh + dl);
{ lh in [0, 2] /\ dh in [-2, -1] /\ |ll| <= 1b-53 /\ |dl| <= 1b-53 -> |(hi + lo) -/ P| <= 1b-103 }
hi + lo - P -> (lo - (rest - (hi - s))) + (rest - Mrest);
lo - (rest - (hi - s)) -> (lo - (rest - d64(hi - s))) - (d64(hi - s) - (hi - s));
hi - s -> rest + (hi - (s + rest));
rest - d64(hi - s) -> -(hi - (s + rest)) - (d64(hi - s) - (hi - s));
$ lh in 8, dh in 8;

#source Sources/CProof/pairs.c sigmoid 1
#claim a sigmoid's denominator 1 + e as a pair
eh = d64(ehh);
el = d64(ell);
#rounded s sl from eh el
#exact sl from eh el s
{ eh in [0, 1] /\ |el| <= 1b-53 -> |s + sl - (1 + eh + el)| <= SUM /\ |sl| <= 1025b-62 }
s + sl - (1 + eh + el) -> sl - Msl;
s - 1 -> eh + (s - (1 + eh));
eh - d64(s - 1) -> -(s - (1 + eh)) - (d64(s - 1) - (s - 1));

# The numerator is 1 or e, of [1, 2] but for a power of two.
#claim a sigmoid's quotient of pairs, to within 2^-101.4
nh = d64(nhh);
nl = d64(nll);
s = d64(ss);
sl = d64(sll);
#rounded hi lo from nh nl s sl
#exact rest from nh nl s sl q1
N = nh + nl;
S = s + sl;
{ nh in [1, 2] /\ |nl| <= 1b-53 /\ s in [1, 2] /\ |sl| <= 1025b-62 -> |(hi + lo) -/ (N / S)| <= QUOTIENT }
hi + lo - N / S -> (lo - (q2 - (hi - q1))) + (q2 - rest / s) + (rest - Mrest) / S + rest * sl / (s * S) { s <> 0, S <> 0 };
nh - q1 * s -> -s * (q1 - nh / s) { s <> 0 };
lo - (q2 - (hi - q1)) -> (lo - (q2 - d64(hi - q1))) - (d64(hi - q1) - (hi - q1));
hi - q1 -> q2 + (hi - (q1 + q2));
q2 - d64(hi - q1) -> -(hi - (q1 + q2)) - (d64(hi - q1) - (hi - q1));
$ nh in 8, s in 8;

# Tier 0: e is known to within 2^-52 of E, and q is to be 1 / (1 + E) or E / (1 + E); 8 units of 2^-53 are claimed, one of
# them for the ends of the rounding test.
#source Sources/CProof/light.c sigmoid 2
#claim a sigmoid by tier 0 of x >= 0, to within 4 units of 2^-53
e = d64(ee);
#rounded q from e
{ e in [1b-940, 1] /\ |e -/ E| <= 1b-52 -> |q -/ (1 / (1 + E))| <= 4.45e-16 }

#source Sources/CProof/light.c sigmoid 1
#claim a sigmoid by tier 0 of x < 0, to within 5 units of 2^-53
e = d64(ee);
#rounded q from e
{ e in [1b-940, 1] /\ |e -/ E| <= 1b-52 -> |q -/ (E / (1 + E))| <= 5.6e-16 }
