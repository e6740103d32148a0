# Tier 0: e^d for |d| <= 700, Documentation/CertifiedReference.md section 3.
#source Sources/CProof/vector8.h exp0
#figure REACH 0.34658
#figure LN2_ERROR 1b-109
#figure REDUCTION 3.0e-17
#figure TRUNCATION 5.3e-18
#figure HORNER 1.139e-16
#figure SHIFT 3.1e-17

#sollya L + L' is ln 2: [abs(log(2) - @r_1.0 - @r.0)] <= LN2_ERROR

#claim k is an integer, at most 1010, and r = d - k L - k L' beside d - k ln 2, at most REACH
d = d64(dd);
#rounded r from d
#exact r from d k
Mt = d * @t.0;
R = d - k * LN2;
{ |d| <= 700 /\ |d| >= 0.25 /\ |LN2 - (@r_1.0 + @r.0)| <= LN2_ERROR
  -> @FIX(k, 0) /\ |k| <= 1010 /\ r_1 - Mr_1 in [0, 0] /\ |r| <= REACH /\ |r - R| <= REDUCTION }
k -> Mt + (k - Mt);
k - Mt -> (k - (t - @k.0)) + (t - (Mt + @k.0));
Mr_1 -> d * (1 - @t.0 * @r_1.0) - (k - Mt) * @r_1.0;
r - R -> (r - (r_1 - k * @r.0)) + (r_1 - Mr_1) + k * (LN2 - (@r_1.0 + @r.0));

#claim the same where d is so small that k is 0: r is d
d = d64(dd);
#rounded t k from d
{ |d| <= 0.25 -> k in [0, 0] }

#sollya the polynomial with its coefficients rounded beside e^r: supnorm(@(p; r = x), exp(x), [-REACH; REACH], relative, 1b-20) <= TRUNCATION

#claim its evaluation by Horner's scheme
r = d64(rr);
#rounded p from r
#exact p from r
{ |r| <= REACH -> |p -/ Mp| <= HORNER /\ p in [0.7, 1.42] }
$ r in 64;

#sollya e^(r - R) beside 1: evaluate(abs(expm1(x)), [-REDUCTION; REDUCTION]) <= SHIFT

#claim together: e^d to within 1.36 units of 2^-53, where 2 are claimed
{ |Er -/ E| <= SHIFT /\ |Mp -/ Er| <= TRUNCATION /\ |p -/ Mp| <= HORNER -> |p -/ E| <= 1.51e-16 }
