(** * T23. The nuclear bound: a polar bound from a matrix as large as the dimension. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge CopositiveDuality GaugeDuality.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Metric.
Variables (R : realFieldType) (N : nat) (a : 'cV[R]_N) (lam gam : R).
Implicit Types (u v p : 'cV[R]_N).

(** The bilinear form of A. *)
Definition metric u v : R := lam ^+ 2 * (dot a u * dot a v) + gam ^+ 2 * dot u v.

Lemma metric_sq v : metric v v = gauge_sq a lam gam v.
Proof. by rewrite /metric /gauge_sq -expr2. Qed.

(** Cauchy-Schwarz for A. *)
Lemma metric_cauchy u v :
  metric u v ^+ 2 <= gauge_sq a lam gam u * gauge_sq a lam gam v.
Proof.
have [v0|vn0] := eqVneq (gauge_sq a lam gam v) 0.
  have l0 : 0 <= lam ^+ 2 * dot a v ^+ 2 by rewrite mulr_ge0 ?sqr_ge0.
  have n0 : 0 <= gam ^+ 2 * nsq v by rewrite mulr_ge0 ?sqr_ge0 ?nsq_ge0.
  move: (v0); rewrite /gauge_sq => /eqP; rewrite paddr_eq0 // !mulf_eq0 !orbb.
  move=> /andP[av gv].
  have m0 : metric u v = 0.
    rewrite /metric; case/orP: av => /eqP ->; rewrite ?expr0n ?mul0r ?mulr0 add0r;
      by case/orP: gv => /eqP; [move=> ->; rewrite expr0n mul0r
                               | move/nsq_eq0 => ->; rewrite dot0r mulr0].
  by rewrite m0 expr0n mulr_ge0 ?gauge_sq_ge0.
have vgt0 : 0 < gauge_sq a lam gam v by rewrite lt_def vn0 gauge_sq_ge0.
have := gauge_sq_ge0 a lam gam (gauge_sq a lam gam v *: u - metric u v *: v).
have -> : gauge_sq a lam gam (gauge_sq a lam gam v *: u - metric u v *: v)
        = gauge_sq a lam gam v
          * (gauge_sq a lam gam u * gauge_sq a lam gam v - metric u v ^+ 2).
  rewrite /gauge_sq nsqB !nsqZ dotDr dotNr !dotZr dotZl /metric.
  by move: (dot a u) (dot a v) (nsq u) (nsq v) (dot u v) => au av uu vv uv; ring.
by rewrite pmulr_rge0 // subr_ge0.
Qed.

(** What Sherman-Morrison says of A: the length of [p] in the inverse metric bounds its
    product with any vector. *)
Lemma inverse_metric p v c :
  0 < gam -> c * (gam ^+ 2 + lam ^+ 2 * nsq a) <= lam ^+ 2 ->
  gam ^+ 2 * dot p v ^+ 2 <= (nsq p - c * dot a p ^+ 2) * gauge_sq a lam gam v.
Proof.
move=> g0 cl; have gg : 0 < gam ^+ 2 by rewrite exprn_gt0.
set e := gam ^+ 2 + lam ^+ 2 * nsq a.
have e0 : 0 < e.
  by apply: (lt_le_trans gg); rewrite cle_addl mulr_ge0 ?sqr_ge0 ?nsq_ge0.
have en : e != 0 by rewrite gt_eqF.
have gn : gam != 0 by rewrite gt_eqF.
set c0 := lam ^+ 2 / e.
have cc : c <= c0.
  by rewrite -[c](mulfK en); apply: cle_wpmul2r; rewrite // invr_ge0 ltW.
apply: (@le_trans _ _ ((nsq p - c0 * dot a p ^+ 2) * gauge_sq a lam gam v)); last first.
  apply: cle_wpmul2r; first exact: gauge_sq_ge0.
  by rewrite cle_add2l cle_opp2; apply: cle_wpmul2r; first exact: sqr_ge0.
set u := p - (c0 * dot a p) *: a.
have eE : e = gam ^+ 2 + lam ^+ 2 * nsq a by [].
have au : dot a u = dot a p * gam ^+ 2 / e.
  rewrite /u dotDr dotNr dotZr -/(nsq a) /c0.
  move: en eE; clear; move: (gam ^+ 2) (lam ^+ 2) (nsq a) (dot a p) e => g l s x e en eE.
  by rewrite eE in en *; field.
have uv : metric u v = gam ^+ 2 * dot p v.
  rewrite /metric au /u dotDl dotNl dotZl /c0.
  move: en; clear; move: (gam ^+ 2) (lam ^+ 2) (dot a v) (dot a p) (dot p v) e => g l y x z e en.
  by field.
have uu : gauge_sq a lam gam u = gam ^+ 2 * (nsq p - c0 * dot a p ^+ 2).
  rewrite /gauge_sq au /u nsqB nsqZ dotZr [dot p a]dotC /c0.
  move: en eE; clear.
  move: (gam ^+ 2) (lam ^+ 2) (nsq a) (dot a p) (nsq p) e => g l s x y e en eE.
  by rewrite eE in en *; field.
have := metric_cauchy u v; rewrite uv uu -subr_ge0.
set q := nsq p - _; set h := gauge_sq _ _ _ _; set k := dot p v.
have -> : gam ^+ 2 * q * h - (gam ^+ 2 * k) ^+ 2 = gam ^+ 2 * (q * h - gam ^+ 2 * k ^+ 2) by ring.
by rewrite pmulr_rge0 // subr_ge0.
Qed.

End Metric.

Section Nuclear.
Variables (R : rcfType) (n N : nat) (a : 'cV[R]_N) (lam gam : R).
Implicit Types (X Rm : 'M[R]_(n, N)) (kappa t c : R).

(** The n by n matrix of the test, times gam^2: its positive semidefiniteness says
    Rm A^-1 Rm^T <= kappa^2 where c is as large as it may be. *)
Definition small_mx kappa c Rm : 'M[R]_n :=
  (kappa * gam) ^+ 2 *: 1%:M - Rm *m Rm^T + c *: ((Rm *m a) *m (Rm *m a)^T).

Lemma qf_small kappa c Rm d :
  qf (small_mx kappa c Rm) d
  = (kappa * gam) ^+ 2 * nsq d - nsq (Rm^T *m d) + c * dot a (Rm^T *m d) ^+ 2.
Proof.
rewrite /small_mx !qfD qfN !qfZ; congr (_ * _ - _ + _ * _).
- by rewrite /qf mul1mx.
- by rewrite -{1}[Rm]trmxK qf_gram.
have -> : dot a (Rm^T *m d) = dot (Rm *m a) d by rewrite dot_mull.
move: (Rm *m a) => e; rewrite -{1}[e]trmxK qf_gram.
have -> : e^T *m d = const_mx (dot e d).
  apply/matrixP => i j; rewrite !mxE; apply: eq_bigr => k _.
  by rewrite !ord1 big_ord_recl big_ord0 addr0 mxE.
by rewrite /nsq /dot !big_ord_recl !big_ord0 !addr0 !mxE -expr2.
Qed.

(** T23, the test: T3a with T = 0, decided by an n by n matrix. *)
Theorem T23_small_matrix kappa c Rm :
  0 < gam -> c * (gam ^+ 2 + lam ^+ 2 * nsq a) <= lam ^+ 2 ->
  psd (small_mx kappa c Rm) -> psd (kappa ^+ 2 *: gauge_mx a lam gam - Rm^T *m Rm).
Proof.
move=> g0 cl S0 v; rewrite qfD qfN qfZ qf_gauge_mx qf_gram subr_ge0.
set d := Rm *m v; have [d0|dn0] := eqVneq (nsq d) 0.
  by rewrite d0 mulr_ge0 ?sqr_ge0 ?gauge_sq_ge0.
have dgt0 : 0 < nsq d by rewrite lt_def dn0 nsq_ge0.
have gg : 0 < gam ^+ 2 by rewrite exprn_gt0.
have small : nsq (Rm^T *m d) - c * dot a (Rm^T *m d) ^+ 2 <= (kappa * gam) ^+ 2 * nsq d.
  by rewrite -subr_ge0 opprD opprK addrA -qf_small; apply: S0.
have pv : dot (Rm^T *m d) v = nsq d by rewrite dot_mull trmxK.
have := inverse_metric (Rm^T *m d) v g0 cl; rewrite pv => main.
have := le_trans main (cle_wpmul2r (gauge_sq_ge0 a lam gam v) small).
rewrite exprMn -subr_ge0.
have -> : kappa ^+ 2 * gam ^+ 2 * nsq d * gauge_sq a lam gam v - gam ^+ 2 * nsq d ^+ 2
        = gam ^+ 2 * (nsq d * (kappa ^+ 2 * gauge_sq a lam gam v - nsq d)) by ring.
by rewrite !pmulr_rge0 // subr_ge0.
Qed.

(** T23: any dual point is a bound for every factorisation of every width. *)
Theorem T23_nuclear_bound K X Rm (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) kappa t c :
  0 < gam -> c * (gam ^+ 2 + lam ^+ 2 * nsq a) <= lam ^+ 2 ->
  0 <= kappa -> psd (small_mx kappa c Rm) -> 0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R <= gauge_obj a lam gam X D Z.
Proof.
move=> g0 cl k0 S0 t0 tk Z0; apply: T2_gauge_weak_duality tk Z0 => //.
apply/T2_polar_iff_copositive => //; apply: psd_copositive.
exact: T23_small_matrix S0.
Qed.

(** T23 with a centre: with Rm a = 0 the penalty lam drops out of the test. *)
Theorem T23_centred_bound K X Rm (b : 'cV[R]_n) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N))
    kappa t :
  0 < gam -> Rm *m a = 0 -> 0 <= kappa ->
  psd ((kappa * gam) ^+ 2 *: 1%:M - Rm *m Rm^T) ->
  0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R <= gauge_obj a lam gam (X - b *m a^T) D Z.
Proof.
move=> g0 Ra k0 S0 t0 tk Z0; apply: T2_centred_weak_duality tk Z0 => //.
apply/T2_polar_iff_copositive => //; apply: psd_copositive.
apply: (@T23_small_matrix _ 0) => //; first by rewrite mul0r sqr_ge0.
by rewrite /small_mx scale0r addr0.
Qed.

(** T23, what the reduction to n + 1 columns rests on: the dual points are affine maps of
    the data, and these are dual points whatever the map. *)
Theorem T23_affine_bound K X (P : 'M[R]_n) (q : 'cV[R]_n) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) kappa t c :
  0 < gam -> c * (gam ^+ 2 + lam ^+ 2 * nsq a) <= lam ^+ 2 ->
  0 <= kappa -> psd (small_mx kappa c (P *m X + q *m a^T)) ->
  0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * (dot (X *m X^T) P + dot (X *m a) q)
  - t ^+ 2 * nsq (P *m X + q *m a^T) / 2%:R <= gauge_obj a lam gam X D Z.
Proof.
move=> g0 cl k0 S0 t0 tk Z0.
have -> : dot (X *m X^T) P + dot (X *m a) q = dot X (P *m X + q *m a^T).
  by rewrite dotDr !dot_mulr trmxK.
exact: T23_nuclear_bound S0 t0 tk Z0.
Qed.

End Nuclear.

Section Weighted.
Variables (R : rcfType) (n N : nat) (w : 'I_N -> R) (lam gam : R).

(** T23 with the weights written: the dual point is in whitened units. *)
Theorem T23_weighted_bound K (X Rm : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) kappa t c :
  (forall i, 0 <= w i) -> 0 < gam ->
  c * (gam ^+ 2 + lam ^+ 2 * nsq (whiten_vec w)) <= lam ^+ 2 ->
  0 <= kappa -> psd (small_mx (whiten_vec w) gam kappa c Rm) ->
  0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot (whiten_mx w X) Rm - t ^+ 2 * nsq Rm / 2%:R <= wgauge_obj w lam gam X D Z.
Proof.
move=> w0 g0 cl k0 S0 t0 tk Z0; apply: T2_weighted_weak_duality tk Z0 => //.
apply/T2_polar_iff_copositive => //; apply: psd_copositive.
exact: T23_small_matrix S0.
Qed.

End Weighted.
