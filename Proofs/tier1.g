# Tier 1: e^(dh + dl) for |dh| <= 2800 as (h + l) 2^k, Documentation/CertifiedReference.md section 6a.
#source Sources/CProof/low_word.c exp1
#figure REACH 0.00034527
#figure LN2_ERROR 1b-152
#figure REDUCTION 1b-92
#figure SERIES 5b-93
#figure LOW_POWER 1b-128
#figure EVALUATION 3.6e-23
#figure SHIFT 1025b-102

#sollya L1 + L2 + L3 is ln 2 / 1024: [abs(log(2) / 1024 - @r1.0 - @b.0 - @rest.0)] <= LN2_ERROR

#claim k is an integer of 22 bits, r1 and k L2 are exact, rh + rl is d - k ln 2 / 1024
dh = d64(dhh);
dl = d64(dll);
#rounded rh rl from dh dl
Mt = dh * @t.0;
Mr1 = dh - k * @r1.0;
#exact rest from r1 dl k b s
R = dh + dl - k * LN;
{ |dh| <= 2800 /\ |dh| >= 1b-12 /\ |dl| <= 2800b-53 /\ |LN - (@r1.0 + @b.0 + @rest.0)| <= LN2_ERROR
  -> @FIX(k, 0) /\ |k| <= 4194304 /\ r1 - Mr1 in [0, 0] /\ b - k * @b.0 in [0, 0]
  /\ |rh| <= REACH /\ |rl| <= 1b-64 /\ |rh + rl - R| <= REDUCTION }
k -> Mt + (k - Mt);
k - Mt -> (k - (t - @k.0)) + (t - (Mt + @k.0));
Mr1 -> dh * (1 - @t.0 * @r1.0) - (k - Mt) * @r1.0;
rl -> -(rh - (s + rest)) + (rl - (rest - (rh - s)));
rl - (rest - (rh - s)) -> (rl - (rest - d64(rh - s))) - (d64(rh - s) - (rh - s));
rh - s -> rest + (rh - (s + rest));
rh + rl - R -> (rl - (rest - (rh - s))) + (s + rest - R);
s + rest - R -> (rest - Mrest) + (r1 - Mr1) - (b - k * @b.0) + k * (LN - (@r1.0 + @b.0 + @rest.0));

#claim the same where d is so small that k is 0
dh = d64(dhh);
#rounded t k from dh
{ |dh| <= 1b-12 -> k in [0, 0] }

#claim rh + rl is d where k is 0, so that s is dh and the rest dl
s = d64(dhh);
rest = d64(dll);
#rounded rh rl from s rest
{ |s| <= 1b-12 /\ |rest| <= 1b-65 -> |rh| <= REACH /\ |rl| <= 1b-64 /\ |rh + rl - (s + rest)| <= REDUCTION }
rl -> -(rh - (s + rest)) + (rl - (rest - (rh - s)));
rl - (rest - (rh - s)) -> (rl - (rest - d64(rh - s))) - (d64(rh - s) - (rh - s));
rh - s -> rest + (rh - (s + rest));
rh + rl - (s + rest) -> rl - (rest - (rh - s));

#sollya 1 + x + x^2 p(x) beside e^x: supnorm(1 + x + x * x * @(p; rh = x), exp(x), [-REACH; REACH], absolute, 1b-20) <= SERIES
#sollya e^rl beside 1 + rl: supnorm(1 + x, exp(x), [-1b-64; 1b-64], absolute, 1b-20) <= LOW_POWER

#claim T (e^rh) (e^rl) from the table's pair, the low words at last
rh = d64(rhh);
rl = d64(rll);
th = d64(thh);
tl = d64(tll);
#rounded h l from rh rl th tl
#exact p w from rh rl
#exact low from th tl a rh sum w
Q = 1 + rh + rh * rh * Mp;
Z = th + th * rh + th * w + tl * rh + tl;
Y = T * (Eh * El);
{ |rh| <= REACH /\ |rl| <= 1b-64 /\ th in [1, 2] /\ |tl| <= 1b-53 /\ |T - (th + tl)| <= 1025b-117
  /\ |Eh - Q| <= SERIES /\ |El - (1 + rl)| <= LOW_POWER
  -> |(h + l) -/ Y| <= EVALUATION }
h + l - Y -> (l - (low - (h - sum))) + (low - Mlow) + (Z - Y);
Z - Y -> th * (w - Mw) - tl * Mw - (th + tl) * (Eh * El - (1 + rh + Mw)) - (T - (th + tl)) * (Eh * El);
Eh * El - (1 + rh + Mw) -> (Eh - Q) * El + Q * (El - (1 + rl)) + rl * rh * rh * Mp;
l - (low - (h - sum)) -> (l - (low - d64(h - sum))) - (d64(h - sum) - (h - sum));
h - sum -> low + (h - (sum + low));
low - d64(h - sum) -> -(h - (sum + low)) - (d64(h - sum) - (h - sum));
sum - th -> a + (sum - (th + a));
a - d64(sum - th) -> -(sum - (th + a)) - (d64(sum - th) - (sum - th));
$ th in 32;

#sollya e^(rh + rl - R) beside 1: evaluate(abs(expm1(x)), [-REDUCTION; REDUCTION]) <= SHIFT

#claim together: e^d to within 2^-74.5, where 2^-74 is claimed
{ |Y -/ E| <= SHIFT /\ |(h + l) -/ Y| <= EVALUATION -> |(h + l) -/ E| <= 3.7e-23 }
