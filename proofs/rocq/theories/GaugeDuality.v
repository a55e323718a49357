(** * T2, T3a, T6, T8. Duality for the gauge: the polar bound, weak duality, the split
    certificate, and the criterion for a global optimum. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge CopositiveDuality.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section GaugeMatrix.
Variables (R : realFieldType) (N : nat).

Lemma qfZ (c : R) (A : 'M[R]_N) v : qf (c *: A) v = c * qf A v.
Proof. by rewrite /qf -scalemxAl dotZr. Qed.

Lemma qf_gauge_mx (a : 'cV[R]_N) lam gam z : qf (gauge_mx a lam gam) z = gauge_sq a lam gam z.
Proof.
rewrite qfD !qfZ /gauge_sq; congr (_ * _ + _ * _); last by rewrite /qf mul1mx.
rewrite /qf -mulmxA dotC dot_mull.
have -> : a^T *m z = const_mx (dot a z).
  apply/matrixP => i j; rewrite !mxE; apply: eq_bigr => k _.
  by rewrite !ord1 big_ord_recl big_ord0 addr0 mxE.
by rewrite /dot !big_ord_recl !big_ord0 !addr0 !mxE -expr2.
Qed.

End GaugeMatrix.

Section GaugeDuality.
Variables (R : rcfType) (n N : nat) (a : 'cV[R]_N) (lam gam : R).
Implicit Types (X Rm : 'M[R]_(n, N)) (kappa t : R) (T : 'M[R]_N).

(** [kappa] bounds the polar of [Rm]: d^T Rm z <= kappa g(z) for |d| <= 1, z >= 0. *)
Definition polar_le kappa Rm : Prop := forall (d : 'cV[R]_n) (z : 'cV[R]_N),
  nsq d <= 1 -> nneg z -> dot (Rm^T *m d) z <= kappa * gauge a lam gam z.

(** The penalty of a factorisation. *)
Definition gauge_pen K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) : R :=
  \sum_k nrm (col k D) * gauge a lam gam (row k Z)^T.

Lemma gauge_pen_ge0 K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) : 0 <= gauge_pen D Z.
Proof. by apply: sumr_ge0 => k _; rewrite mulr_ge0 ?nrm_ge0 ?gauge_ge0. Qed.

(** A polar bound for unit vectors is one for all vectors. *)
Lemma polar_le_nrm kappa Rm (d : 'cV[R]_n) (z : 'cV[R]_N) :
  polar_le kappa Rm -> nneg z ->
  dot (Rm^T *m d) z <= kappa * (nrm d * gauge a lam gam z).
Proof.
move=> pol z0; have [d0|d0] := eqVneq (nrm d) 0.
  by rewrite (nrm_eq0 d0) mulmx0 dot0l nrm0 mul0r mulr0.
have dE : d = nrm d *: ((nrm d)^-1 *: d) by rewrite scalerA divff // scale1r.
rewrite {1}dE -scalemxAr dotZl mulrCA; apply: cle_wpmul2l; first exact: nrm_ge0.
by apply: pol => //; rewrite nsqZ exprVn -nrm_sq mulVf // sqrf_eq0.
Qed.

Lemma dot_factor K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) Rm :
  dot (D *m Z) Rm = \sum_k dot (Rm^T *m col k D) (row k Z)^T.
Proof.
rewrite dot_mulr dot_col; apply: eq_bigr => k _.
by rewrite col_mulmx -tr_row [RHS]dot_mull trmxK.
Qed.

(** Pairing a factorisation with a dual point costs at most kappa times its penalty. *)
Lemma dot_factor_le K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) kappa Rm :
  polar_le kappa Rm -> nneg Z -> dot (D *m Z) Rm <= kappa * gauge_pen D Z.
Proof.
move=> pol Z0; rewrite dot_factor /gauge_pen mulr_sumr; apply: ler_sum => k _.
by apply: polar_le_nrm => // i j; rewrite !mxE.
Qed.

(** T2, weak duality: any dual point scaled into the polar ball bounds every
    factorisation of every width from below. *)
Theorem T2_gauge_weak_duality K X Rm (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) kappa t :
  polar_le kappa Rm -> 0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R <= gauge_obj a lam gam X D Z.
Proof.
move=> pol t0 tk Z0; rewrite /gauge_obj -/(gauge_pen D Z).
have y1 := young (X - D *m Z) (t *: Rm).
rewrite nsqZ dotZr dotDl dotNl in y1.
have y2 : t * dot (D *m Z) Rm <= gauge_pen D Z.
  apply: le_trans (cle_wpmul2l t0 (dot_factor_le D pol Z0)) _.
  by rewrite mulrA -[leRHS]mul1r; apply: cle_wpmul2r; rewrite ?gauge_pen_ge0.
have -> : t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R
        = t * (dot X Rm - dot (D *m Z) Rm) - t ^+ 2 * nsq Rm / 2%:R
          + t * dot (D *m Z) Rm by ring.
by apply: cle_add => //; rewrite cle_sub.
Qed.

(** T2 with a centre: the same bound holds for every centre when Rm a = 0. *)
Theorem T2_centred_weak_duality K X Rm (b : 'cV[R]_n) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) kappa t :
  polar_le kappa Rm -> Rm *m a = 0 -> 0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R <= gauge_obj a lam gam (X - b *m a^T) D Z.
Proof.
move=> pol Ra t0 tk Z0; have := T2_gauge_weak_duality (X - b *m a^T) D pol t0 tk Z0.
by rewrite dotDl dotNl dot_mulr trmxK Ra dot0r subr0.
Qed.

(** T6: a dual point that misses Rm a = 0 pays t B |Rm a| over the centres of length
    at most B. *)
Theorem T6_centre_defect K X Rm (b : 'cV[R]_n) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N))
    kappa t B :
  polar_le kappa Rm -> 0 <= t -> t * kappa <= 1 -> nneg Z -> nrm b <= B ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R - t * (B * nrm (Rm *m a))
  <= gauge_obj a lam gam (X - b *m a^T) D Z.
Proof.
move=> pol t0 tk Z0 bB; apply: le_trans (T2_gauge_weak_duality (X - b *m a^T) D pol t0 tk Z0).
rewrite [dot (X - _) _]dotDl dotNl dot_mulr trmxK -subr_ge0.
set p := dot X Rm; set q := nsq Rm; set e := dot b _; set f := B * _.
have -> : t * (p - e) - t ^+ 2 * q / 2%:R - (t * p - t ^+ 2 * q / 2%:R - t * f)
        = t * (f - e) by ring.
rewrite mulr_ge0 // subr_ge0; apply: le_trans (dot_le_nrm _ _) _.
by apply: cle_wpmul2r; first exact: nrm_ge0.
Qed.

(** T2, the polar as copositivity. *)
Theorem T2_polar_iff_copositive kappa Rm : 0 <= kappa ->
  (polar_le kappa Rm <-> copositive (kappa ^+ 2 *: gauge_mx a lam gam - Rm^T *m Rm)).
Proof.
move=> k0.
have qfE z : qf (kappa ^+ 2 *: gauge_mx a lam gam - Rm^T *m Rm) z
           = (kappa * gauge a lam gam z) ^+ 2 - nsq (Rm *m z).
  by rewrite qfD qfN qfZ qf_gauge_mx qf_gram exprMn gauge_sqr.
split=> [pol z z0 | cop d z d1 z0].
  rewrite qfE subr_ge0 -nrm_sq; apply: cle_sqr; first exact: nrm_ge0.
  have [r0|r0] := eqVneq (nrm (Rm *m z)) 0; first by rewrite r0 mulr_ge0 ?gauge_ge0.
  have := pol ((nrm (Rm *m z))^-1 *: (Rm *m z)) z.
  rewrite -scalemxAr dotZl nsqZ exprVn -nrm_sq mulVf ?sqrf_eq0 // => /(_ (lexx _) z0).
  by rewrite dot_mull trmxK -/(nsq _) -nrm_sq expr2 mulrA mulVf // mul1r.
rewrite dot_mull trmxK; apply: dot_le_bound => //.
  by rewrite mulr_ge0 ?gauge_ge0.
by rewrite -subr_ge0 -qfE; apply: cop.
Qed.

(** T3a: any entrywise nonnegative T for which kappa^2 A - Rm^T Rm - T is
    positive semidefinite certifies the polar bound kappa. *)
Theorem T3a_split_certificate kappa Rm T :
  0 <= kappa -> nneg T -> psd (kappa ^+ 2 *: gauge_mx a lam gam - Rm^T *m Rm - T) ->
  polar_le kappa Rm.
Proof.
move=> k0 T0 S0; apply/T2_polar_iff_copositive => //.
rewrite -[_ - Rm^T *m Rm](subrK T); apply: copositiveD; last exact: nneg_copositive.
exact: psd_copositive.
Qed.

(** T3a and T2 together: what a certificate (Rm, T, kappa, t) proves. *)
Theorem T3a_certified_bound K X Rm (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) kappa t T :
  0 <= kappa -> nneg T -> psd (kappa ^+ 2 *: gauge_mx a lam gam - Rm^T *m Rm - T) ->
  0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot X Rm - t ^+ 2 * nsq Rm / 2%:R <= gauge_obj a lam gam X D Z.
Proof.
by move=> k0 T0 S0; apply: T2_gauge_weak_duality; apply: T3a_split_certificate T0 S0.
Qed.

(** T8, the gap at t = 1 of a factorisation and its own residual. *)
Theorem T8_gap_identity K X (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  gauge_obj a lam gam X D Z
  - (dot X (X - D *m Z) - nsq (X - D *m Z) / 2%:R)
  = gauge_pen D Z - dot (X - D *m Z) (D *m Z).
Proof.
rewrite /gauge_obj -/(gauge_pen D Z); set W := D *m Z.
by rewrite nsqB [dot X (X - W)]dotDr [dot (X - W) W]dotDl dotNr dotNl -/(nsq X) -/(nsq W); field.
Qed.

Definition global_optimum K X (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) : Prop :=
  forall K' (D' : 'M[R]_(n, K')) (Z' : 'M[R]_(K', N)), nneg Z' ->
  gauge_obj a lam gam X D Z <= gauge_obj a lam gam X D' Z'.

Lemma gauge_pen_scale K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) s :
  0 <= s -> gauge_pen (s *: D) Z = s * gauge_pen D Z.
Proof.
move=> s0; rewrite /gauge_pen mulr_sumr; apply: eq_bigr => k _.
by rewrite linearZ /= nrmZ ger0_norm // mulrA.
Qed.

(** A quadratic that is nonnegative just after zero has no negative slope there. *)
Lemma slope_ge0 (m q : R) : 0 <= q ->
  (forall s, 0 <= s -> s <= 1 -> 0 <= s * m + s ^+ 2 * q / 2%:R) -> 0 <= m.
Proof.
move=> q0 quad; rewrite leNgt; apply/negP => m0.
have nm0 : 0 <= - m by rewrite -oppr0 cle_opp2 ltW.
set c := 1 + (q - m).
have c1 : 1 <= c by rewrite /c cle_addl addr_ge0.
have c0 : 0 < c := lt_le_trans ltr01 c1.
have cn : c != 0 by rewrite gt_eqF.
have s0 : 0 <= - m / c by rewrite divr_ge0 // ltW.
have s1 : - m / c <= 1.
  rewrite -(divff cn); apply: cle_wpmul2r; first by rewrite invr_ge0 ltW.
  by rewrite /c addrA -{1}[- m]add0r cle_add2r addr_ge0 ?ler01.
have := quad _ s0 s1.
have -> : - m / c * m + (- m / c) ^+ 2 * q / 2%:R
        = - ((m ^+ 2 * (c + c - q)) * (c ^+ 2 * 2%:R)^-1) by field.
rewrite -oppr0 cle_opp2 leNgt => /negP[].
have m2 : 0 < m ^+ 2 by rewrite lt_def sqr_ge0 sqrf_eq0 andbT lt_eqF.
have k0 : 0 < (c ^+ 2 * 2%:R)^-1 by rewrite invr_gt0 mulr_gt0 ?exprn_gt0 ?ltr0n.
rewrite mulr_gt0 // mulr_gt0 //.
have -> : c + c - q = c + (1 - m) by rewrite /c; ring.
by apply: (lt_le_trans c0); rewrite cle_addl addr_ge0 ?ler01.
Qed.

(** One more atom [s d] with code [z]. *)
Definition add_atom K (D : 'M[R]_(n, K)) (d : 'cV[R]_n) : 'M[R]_(n, K + 1) := row_mx D d.
Definition add_code K (Z : 'M[R]_(K, N)) (z : 'cV[R]_N) : 'M[R]_(K + 1, N) := col_mx Z z^T.

Lemma add_code_ge0 K (Z : 'M[R]_(K, N)) z : nneg Z -> nneg z -> nneg (add_code Z z).
Proof.
move=> Z0 z0 k j; rewrite mxE; case: (split k) => k'; first exact: Z0.
by rewrite mxE; apply: z0.
Qed.

Lemma gauge_pen_add K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) d z :
  gauge_pen (add_atom D d) (add_code Z z) = gauge_pen D Z + nrm d * gauge a lam gam z.
Proof.
have colL k : col (lshift 1 k) (add_atom D d) = col k D.
  by apply/matrixP => i j; rewrite mxE row_mxEl mxE.
have rowU k : row (lshift 1 k) (add_code Z z) = row k Z.
  by apply/matrixP => i j; rewrite mxE col_mxEu mxE.
have colR : col (rshift K (ord0 : 'I_1)) (add_atom D d) = d.
  by apply/matrixP => i j; rewrite mxE row_mxEr [j]ord1; congr (d _ _); apply: ord_inj.
have rowD : row (rshift K (ord0 : 'I_1)) (add_code Z z) = z^T.
  by apply/matrixP => i j; rewrite mxE col_mxEd [i]ord1; congr (z^T _ _); apply: ord_inj.
rewrite /gauge_pen big_split_ord /= big_ord_recl big_ord0 addr0 colR rowD trmxK.
by congr (_ + _); apply: eq_bigr => k _; rewrite colL rowU.
Qed.

(** T8, the criterion: a factorisation is a global optimum over all widths exactly
    when its residual lies in the polar ball and pairs tightly with it. *)
Theorem T8_global_criterion K X (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) : nneg Z ->
  (global_optimum X D Z <->
   polar_le 1 (X - D *m Z) /\ dot (X - D *m Z) (D *m Z) = gauge_pen D Z).
Proof.
move=> Z0; set Rm := X - D *m Z; split=> [opt | [pol tight] K' D' Z' Z'0].
- split.
    move=> d z d1 z0; rewrite mul1r -subr_ge0.
    have q0 : 0 <= nsq (d *m z^T) := nsq_ge0 _.
    apply: slope_ge0 q0 _ => s s0 s1.
    have := opt _ (add_atom D (s *: d)) (add_code Z z) (add_code_ge0 Z0 z0).
    rewrite /gauge_obj -!/(gauge_pen _ _) gauge_pen_add mul_row_col opprD [X + (_ - _)]addrA -/Rm.
    rewrite -scalemxAl [nsq (Rm - _)]nsqB nsqZ dotZr -[X in is_true X -> _]subr_ge0 => /le_trans; apply.
    have -> : dot (Rm^T *m d) z = dot Rm (d *m z^T) by rewrite dot_mull trmxK dotC dot_mulr.
    rewrite -subr_ge0.
    set g := gauge _ _ _ _; set q := nsq (d *m _); set p := dot Rm _.
    have -> : s * (g - p) + s ^+ 2 * q / 2%:R
       - ((nsq Rm - 2%:R * (s * p) + s ^+ 2 * q) / 2%:R + (gauge_pen D Z + nrm (s *: d) * g)
          - (nsq Rm / 2%:R + gauge_pen D Z)) = (s - nrm (s *: d)) * g by field.
    rewrite mulr_ge0 ?gauge_ge0 // subr_ge0 nrmZ ger0_norm // -[leRHS]mulr1.
    apply: cle_wpmul2l => //; apply: csqr_le; first exact: ler01.
    by rewrite nrm_sq expr1n.
- have q0 : 0 <= nsq (D *m Z) := nsq_ge0 _.
  have main s : -1 <= s -> 0 <= s * (gauge_pen D Z - dot Rm (D *m Z))
                                + s ^+ 2 * nsq (D *m Z) / 2%:R.
    move=> s1; have s0 : 0 <= 1 + s by rewrite addrC -[1]opprK subr_ge0.
    have := opt _ ((1 + s) *: D) Z Z0.
    rewrite /gauge_obj -!/(gauge_pen _ _) gauge_pen_scale // -scalemxAl scalerDl scale1r.
    rewrite opprD [X + (_ - _)]addrA -/Rm [nsq (Rm - _)]nsqB nsqZ dotZr.
    rewrite -[X in is_true X -> _]subr_ge0.
    set q := nsq (D *m Z); set p := dot Rm _; set P := gauge_pen D Z.
    have -> : (nsq Rm - 2%:R * (s * p) + s ^+ 2 * q) / 2%:R + (1 + s) * P
              - (nsq Rm / 2%:R + P) = s * (P - p) + s ^+ 2 * q / 2%:R by field.
    by [].
  apply/eqP; rewrite eq_le -[X in X && _]subr_ge0 -[X in _ && X]subr_ge0; apply/andP; split.
    apply: slope_ge0 q0 _ => s s0 s1; apply: main.
    by apply: le_trans s0; rewrite -[leRHS]oppr0 cle_opp2 ler01.
  apply: slope_ge0 q0 _ => s s0 s1; have := main (- s); rewrite cle_opp2 => /(_ s1).
  by rewrite sqrrN mulNr -mulrN opprB.
have one : 1 * 1 <= 1 :> R by rewrite mulr1.
have := T2_gauge_weak_duality X D' pol ler01 one Z'0.
have := T8_gap_identity X D Z; rewrite -/Rm tight subrr => /eqP; rewrite subr_eq0 => /eqP ->.
by rewrite mul1r expr1n mul1r.
Qed.

End GaugeDuality.

Section Weighted.
Variables (R : rcfType) (n N : nat) (w : 'I_N -> R) (lam gam : R).

(** T2 with the weights written: the dual point is in whitened units. *)
Theorem T2_weighted_weak_duality K (X Rm : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) kappa t :
  (forall i, 0 <= w i) -> polar_le (whiten_vec w) lam gam kappa Rm ->
  0 <= t -> t * kappa <= 1 -> nneg Z ->
  t * dot (whiten_mx w X) Rm - t ^+ 2 * nsq Rm / 2%:R <= wgauge_obj w lam gam X D Z.
Proof.
move=> w0 pol t0 tk Z0; rewrite T2_whitening //; apply: T2_gauge_weak_duality tk _ => //.
by move=> k i; rewrite mxE mulr_ge0 ?sqrtr_ge0.
Qed.

End Weighted.
