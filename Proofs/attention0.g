# Attention's first tier: the cap, Documentation/CertifiedReference.md section 12a.
#source Sources/CProof/attention0.c tanh0

#claim tanh y from t = e^(-2y): the roundings of the quotient, at most 2.01 units of 2^-53
t = d64(tt);
#rounded y from t
#exact y from t
{ t in [0, 1] -> |y - My| <= 2.24e-16 }
$ t in 64;

#claim what t being off by 2 units of itself is worth, at most 4 units
E = (1 - T) / (1 + T);
F = (1 - t) / (1 + t);
{ T in [0, 1] /\ t in [0, 1] /\ |t - T| <= 1b-52 -> |F - E| <= 4b-53 }
F - E -> 2 * (T - t) / ((1 + t) * (1 + T)) { 1 + t <> 0, 1 + T <> 0 };
