# Tier 2: e^(dh + dl) for |dh| <= 2^29 as (h + l) 2^k, Documentation/CertifiedReference.md section 6.
#source Sources/CProof/certified.c exp2tier
#figure REACH 0.00034527
#figure LN2_ERROR 1b-152
#figure LOW 1025b-75
#figure SERIES 3.8e-32
#figure LOW_POWER 1b-129
#figure EVALUATION 2.8e-31

#sollya L1 + L2 + L3 is ln 2 / 1024: [abs(log(2) / 1024 - @r1.0 - @b.0 - @low.0)] <= LN2_ERROR

#claim [j = -12..28] k is an integer, r1 and k L2 are exact, rh + rl is d - k ln 2 / 1024 to within 1.001 |d| 2^-104 + 2^-115, for |dh| from 2^j to 2^(j + 1)
dh = d64(dhh);
dl = d64(dll);
#rounded rh rl from dh dl
Mt = dh * @t.0;
Mr1 = dh - k * @r1.0;
#exact low from r1 dl k b s be
R = dh + dl - k * LN;
{ |dh| <= 1b<j + 1> /\ |dh| >= 1b<j> /\ |dl| <= 1b<j - 53> /\ |LN - (@r1.0 + @b.0 + @low.0)| <= LN2_ERROR
  -> @FIX(k, 0) /\ r1 - Mr1 in [0, 0] /\ b + be - k * @b.0 in [0, 0]
  /\ |rh| <= REACH /\ |rl| <= LOW /\ |rh + rl - R| <= <1025 * 2 ** (j + 12) + 2048>b-126 }
k -> Mt + (k - Mt);
k - Mt -> (k - (t - @k.0)) + (t - (Mt + @k.0));
Mr1 -> dh * (1 - @t.0 * @r1.0) - (k - Mt) * @r1.0;
rl -> -(rh - (s + low)) + (rl - (low - (rh - s)));
rl - (low - (rh - s)) -> (rl - (low - d64(rh - s))) - (d64(rh - s) - (rh - s));
rh - s -> low + (rh - (s + low));
rh + rl - R -> (rl - (low - (rh - s))) + (s + low - R);
s + low - R -> (low - Mlow) + (r1 - Mr1) - (b + be - k * @b.0) + k * (LN - (@r1.0 + @b.0 + @low.0));
b + be - k * @b.0 -> be - (k * @b.0 - b);

#claim k is 0 where d is so small that rh + rl is d
dh = d64(dhh);
#rounded t k from dh
{ |dh| <= 1b-12 -> k in [0, 0] }

#claim rh + rl is d where k is 0, so that s is dh and low dl
s = d64(dhh);
low = d64(dll);
#rounded rh rl from s low
{ |s| <= 1b-12 /\ |low| <= 1b-65 -> |rh| <= REACH /\ |rl| <= LOW /\ |rh + rl - (s + low)| <= 1b-115 }
rl -> -(rh - (s + low)) + (rl - (low - (rh - s)));
rl - (low - (rh - s)) -> (rl - (low - d64(rh - s))) - (d64(rh - s) - (rh - s));
rh - s -> low + (rh - (s + low));
rh + rl - (s + low) -> rl - (low - (rh - s));

#sollya 1 + x + x^2/2 + x^3 (1/6 + x q(x)) beside e^x: supnorm(1 + x + x^2 / 2 + x^3 * (@uh.0 + @ul.1 + x * @(q; rh = x)), exp(x), [-REACH; REACH], absolute, 1b-20) <= SERIES
#sollya e^rl beside 1 + rl: supnorm(1 + x, exp(x), [-LOW; LOW], absolute, 1b-20) <= LOW_POWER

#claim T (e^rh) (e^rl) from the table's pair by pairs
rh = d64(rhh);
rl = d64(rll);
th = d64(thh);
tl = d64(tll);
#rounded h l from rh rl th tl
#exact q from rh
#exact ul from ub uh
#exact cl from rh rl uh ul c
#exact wl from c wh cl
#exact dlow from rh rl wh wl d
#exact vl from d vh dlow
#exact gl from rh rl vh vl g
#exact al from th tl g gl a
#exact sl from a sum th al
r = rh + rl;
U = @uh.0 + @ul.1 + rh * Mq;
W = 0.5 + r * U;
V = 1 + r * W;
G = r * V;
F = 1 + rh + rh * rh * 0.5 + rh * rh * rh * U;
Y = T * (Eh * El);
{ |rh| <= REACH /\ |rl| <= LOW /\ th in [1, 2] /\ |tl| <= 1b-53 /\ |T - (th + tl)| <= 1025b-117
  /\ |Eh - F| <= SERIES /\ |El - (1 + rl)| <= LOW_POWER
  -> |(h + l) -/ Y| <= EVALUATION }
uh + ul - U -> (ul - Mul) + (ub - rh * Mq);
ub - rh * Mq -> (ub - rh * q) + rh * (q - Mq);
wh + wl - W -> (wl - Mwl) + (cl - Mcl) + r * (uh + ul - U) - rl * ul;
vh + vl - V -> (vl - Mvl) + (dlow - Mdlow) + r * (wh + wl - W) - rl * wl;
g + gl - G -> (gl - Mgl) + r * (vh + vl - V) - rl * vl;
Eh * El - (1 + G) -> (Eh - F) * El + F * (El - (1 + rl))
  + (rl * rh * rh * ((0.5 - 3 * (@uh.0 + @ul.1)) + rh * (@uh.0 + @ul.1 - 3 * Mq + rh * Mq))
  - rl * rl * 0.5 - U * rl * rl * (3 * rh + rl));
h + l - Y -> (l - (sl - (h - sum))) + (sl - Msl) + (al - Mal) + th * (g + gl - G) + tl * (g - G)
  - (th + tl) * (Eh * El - (1 + G)) - (T - (th + tl)) * (Eh * El);
g - G -> (g + gl - G) - gl;
uh - @uh.0 -> ub + (uh - (@uh.0 + ub));
ub - d64(uh - @uh.0) -> -(uh - (@uh.0 + ub)) - (d64(uh - @uh.0) - (uh - @uh.0));
wh - 0.5 -> c + (wh - (0.5 + c));
c - d64(wh - 0.5) -> -(wh - (0.5 + c)) - (d64(wh - 0.5) - (wh - 0.5));
vh - 1 -> d + (vh - (1 + d));
d - d64(vh - 1) -> -(vh - (1 + d)) - (d64(vh - 1) - (vh - 1));
sum - th -> a + (sum - (th + a));
a - d64(sum - th) -> -(sum - (th + a)) - (d64(sum - th) - (sum - th));
l - (sl - (h - sum)) -> (l - (sl - d64(h - sum))) - (d64(h - sum) - (h - sum));
h - sum -> sl + (h - (sum + sl));
sl - d64(h - sum) -> -(h - (sum + sl)) - (d64(h - sum) - (h - sum));
$ th in 32;

#sollya [j = -12..28] e^(rh + rl - R) beside 1, for |dh| up to 2^(j + 1): evaluate(abs(expm1(x)), [-<1025 * 2 ** (j + 12) + 2048>b-126; <1025 * 2 ** (j + 12) + 2048>b-126]) <= <1026 * 2 ** (j + 12) + 2049>b-126

#claim [j = -12..28] together: e^d to within 2^-101.4 + |d| 2^-103.9, where 2^-100 + |d| 2^-103 is claimed
{ |Y -/ E| <= <1026 * 2 ** (j + 12) + 2049>b-126 /\ |(h + l) -/ Y| <= EVALUATION
  -> |(h + l) -/ E| <= <1097 * 2 ** (j + 12) + 27160000>b-126 }

# (h + l) (rh + rl), both of [1, 2] but for a power of two.
#source Sources/CProof/certified.c quotient2
#claim a quotient as a product of pairs, where 2^-103 is claimed
h = d64(hh);
l = d64(ll);
rh = d64(rhh);
rl = d64(rll);
#rounded high low from h l rh rl
#exact al from a h l rh rl
P = (h + l) * (rh + rl);
{ h in [1, 2] /\ |l| <= 1b-53 /\ rh in [1, 2] /\ |rl| <= 1b-53 -> |(high + low) -/ P| <= 1b-103 }
high + low - P -> (low - (al - (high - a))) + (al - Mal) - l * rl;
low - (al - (high - a)) -> (low - (al - d64(high - a))) - (d64(high - a) - (high - a));
high - a -> al + (high - (a + al));
al - d64(high - a) -> -(high - (a + al)) - (d64(high - a) - (high - a));
$ h in 8, rh in 8;
