(** * T20. The hull condition: what the first-order conditions say of the cosines between
    atoms and of the codes, whatever the data. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge CopositiveDuality GaugeDuality FixedDictionary.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Conditions.
Variables (R : realFieldType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Implicit Types (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (r : 'M[R]_(n, N)).

(** The mass of an atom. *)
Definition mass Z (k : 'I_K) : R := \sum_i w i * Z k i.

(** The codes are optimal for the dictionary, in terms of the residuals alone. *)
Definition codes_stationary D Z r : Prop :=
  forall k i, dot (col k D) (col i r) <= lam /\
              (0 < Z k i -> dot (col k D) (col i r) = lam).

(** No unit atom can be turned to advantage (T13). *)
Definition atoms_stationary D Z r : Prop :=
  forall k, \sum_i (w i * Z k i) *: col i r = (lam * mass Z k) *: col k D.

(** No centre can be moved to advantage. *)
Definition centred r : Prop := \sum_i w i *: col i r = 0.

(** The point of T20: the masses times one less the cosines with atom [j]. *)
Definition target D Z (j k : 'I_K) : R := mass Z k * (1 - dot (col j D) (col k D)).

(** The conditions on the codes are those of T10: whatever the residuals that satisfy them,
    the data [D Z + r] have [Z] for optimal codes. *)
Theorem T20_planted D Z r i :
  nneg Z -> codes_stationary D Z r ->
  forall z : 'cV[R]_K, nneg z ->
  nnlasso lam D (col i (D *m Z + r)) (col i Z) <= nnlasso lam D (col i (D *m Z + r)) z.
Proof.
move=> Z0 cs; have res : col i (D *m Z + r) - D *m col i Z = col i r.
  by rewrite linearD /= col_mulmx addrAC subrr add0r.
have slopeE k : kkt_g lam D (col i (D *m Z + r)) (col i Z) k 0
              = dot (col k D) (col i r) - lam.
  rewrite /kkt_g res [LHS]mxE [X in _ + X = _]mxE [X in _ - X = _]mxE; congr (_ - _).
  rewrite /dot mxE; apply: eq_bigr => b _.
  by rewrite big_ord_recl big_ord0 addr0 [D^T k b]mxE [col k D b _]mxE.
have zE k : col i Z k 0 = Z k i by rewrite mxE.
have [|k|k|_ opt] // := @T10_kkt_sufficient _ _ _ lam D (col i (D *m Z + r)) (col i Z).
- by move=> k b; rewrite ord1 zE.
- by have [le _] := cs k i; rewrite slopeE subr_le0.
have [_ eq] := cs k i; rewrite slopeE zE; have [->|zk] := eqVneq (Z k i) 0.
  by rewrite mul0r.
by rewrite eq ?subrr ?mulr0 // lt_def zk Z0.
Qed.

End Conditions.

Section Hull.
Variables (R : realFieldType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (r : 'M[R]_(n, N)).
Hypotheses (lam_gt0 : 0 < lam) (w_ge0 : forall i, 0 <= w i).
Hypotheses (codes : codes_stationary lam D Z r) (atoms : atoms_stationary w lam D Z r).

Definition multiplier (j : 'I_K) (i : 'I_N) : R :=
  w i * (lam - dot (col j D) (col i r)) / lam.

Lemma multiplier_ge0 j i : 0 <= multiplier j i.
Proof.
have [le _] := codes j i.
by rewrite /multiplier divr_ge0 ?mulr_ge0 ?subr_ge0 // ltW.
Qed.

Lemma multiplier_off j i : 0 < Z j i -> multiplier j i = 0.
Proof.
move=> zi; have [_ eq] := codes j i.
by rewrite /multiplier (eq zi) subrr mulr0 mul0r.
Qed.

Lemma multiplier_target j k : \sum_i multiplier j i * Z k i = target w D Z j k.
Proof.
have ln : lam != 0 by rewrite gt_eqF.
have along : \sum_i (w i * Z k i) * dot (col j D) (col i r)
           = lam * mass w Z k * dot (col j D) (col k D).
  rewrite -dotZr -atoms dot_sumr; apply: eq_bigr => i _; by rewrite dotZr.
apply: (mulfI ln); rewrite mulr_sumr.
have -> : lam * target w D Z j k
        = lam * mass w Z k - lam * mass w Z k * dot (col j D) (col k D).
  by rewrite /target mulrBr mulr1 mulrBr mulrA.
rewrite -along /mass mulr_sumr -sumrB; apply: eq_bigr => i _.
by rewrite /multiplier; field.
Qed.

Lemma multiplier_sum j : \sum_i w i = 1 -> centred w r -> \sum_i multiplier j i = 1.
Proof.
move=> w1 c0; have ln : lam != 0 by rewrite gt_eqF.
have along : \sum_i w i * dot (col j D) (col i r) = 0.
  rewrite -[RHS](dot0r (col j D)) -[in RHS]c0 dot_sumr; apply: eq_bigr => i _.
  by rewrite dotZr.
apply: (mulfI ln); rewrite mulr_sumr mulr1 -[RHS]subr0 -[in RHS]along.
rewrite -[lam in RHS]mulr1 -w1 mulr_sumr -sumrB; apply: eq_bigr => i _.
by rewrite /multiplier; field.
Qed.

(** T20 without a centre: the target is a nonnegative combination of the codes of the
    datapoints where atom [j] is off. *)
Theorem T20_conic_condition j :
  exists mu : 'I_N -> R,
    [/\ forall i, 0 <= mu i, forall i, 0 < Z j i -> mu i = 0 &
        forall k, \sum_i mu i * Z k i = target w D Z j k].
Proof.
exists (multiplier j); split; [exact: multiplier_ge0 | exact: multiplier_off |].
by move=> k; rewrite multiplier_target.
Qed.

(** T20 with a centre: a convex combination. *)
Theorem T20_hull_condition j :
  \sum_i w i = 1 -> centred w r ->
  exists mu : 'I_N -> R,
    [/\ forall i, 0 <= mu i, \sum_i mu i = 1, forall i, 0 < Z j i -> mu i = 0 &
        forall k, \sum_i mu i * Z k i = target w D Z j k].
Proof.
move=> w1 c0; exists (multiplier j); split.
- exact: multiplier_ge0.
- exact: multiplier_sum.
- exact: multiplier_off.
- by move=> k; rewrite multiplier_target.
Qed.

End Hull.

(** Bounds on the codes where atom [j] is off are bounds on their combinations. *)
Section Combination.
Variables (R : realFieldType) (N : nat) (on : pred 'I_N) (mu : 'I_N -> R).
Hypotheses (mu_ge0 : forall i, 0 <= mu i) (mu_off : forall i, on i -> mu i = 0).

Lemma combination_le (f : 'I_N -> R) c :
  (forall i, ~~ on i -> f i <= c) -> \sum_i mu i * f i <= (\sum_i mu i) * c.
Proof.
move=> fc; rewrite mulr_suml; apply: ler_sum => i _.
case: (boolP (on i)) => [/mu_off -> | /fc]; first by rewrite !mul0r.
exact: cle_wpmul2l.
Qed.

Lemma combination_ge (f : 'I_N -> R) c :
  (forall i, ~~ on i -> c <= f i) -> (\sum_i mu i) * c <= \sum_i mu i * f i.
Proof.
move=> fc; rewrite mulr_suml; apply: ler_sum => i _.
case: (boolP (on i)) => [/mu_off -> | /fc]; first by rewrite !mul0r.
exact: cle_wpmul2l.
Qed.

End Combination.

(** What a checker is handed: a vector [y] that separates. *)
Section Separation.
Variables (R : realFieldType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (j : 'I_K).
Hypotheses (lam_gt0 : 0 < lam) (w_ge0 : forall i, 0 <= w i) (Z_ge0 : nneg Z).

Lemma pairing (y : 'I_K -> R) (mu : 'I_N -> R) :
  \sum_i mu i * (\sum_k y k * Z k i) = \sum_k y k * (\sum_i mu i * Z k i).
Proof.
rewrite (eq_bigr (fun i => \sum_k mu i * (y k * Z k i))); last first.
  by move=> i _; rewrite mulr_sumr.
rewrite exchange_big; apply: eq_bigr => k _; rewrite mulr_sumr.
by apply: eq_bigr => i _; rewrite mulrCA.
Qed.

Lemma off_zero i : ~~ (0 < Z j i) -> Z j i = 0.
Proof. by move=> z0; apply/eqP; move: z0; rewrite lt_def Z_ge0 andbT negbK. Qed.

(** T20 refuted, without a centre: no data whatsoever make (D, Z) stationary. *)
Theorem T20_cone_refuted (y : 'I_K -> R) :
  (forall i, Z j i = 0 -> \sum_k y k * Z k i <= 0) ->
  0 < \sum_k y k * target w D Z j k ->
  ~ exists r, codes_stationary lam D Z r /\ atoms_stationary w lam D Z r.
Proof.
move=> yz yt [r [cs st]].
have [mu [m0 moff mt]] := T20_conic_condition lam_gt0 w_ge0 cs st j.
have := @combination_le _ _ (fun i => 0 < Z j i) mu m0 moff (fun i => \sum_k y k * Z k i) 0.
rewrite mulr0 pairing (eq_bigr (fun k => y k * target w D Z j k)); last first.
  by move=> k _; rewrite mt.
rewrite leNgt yt => /(_ _)/notF; apply=> i /off_zero; exact: yz.
Qed.

(** T20 refuted, with a centre. *)
Theorem T20_hull_refuted (y : 'I_K -> R) c :
  \sum_i w i = 1 ->
  (forall i, Z j i = 0 -> \sum_k y k * Z k i <= c) ->
  c < \sum_k y k * target w D Z j k ->
  ~ exists r, [/\ codes_stationary lam D Z r, atoms_stationary w lam D Z r & centred w r].
Proof.
move=> w1 yz yt [r [cs st c0]].
have [mu [m0 m1 moff mt]] := T20_hull_condition lam_gt0 w_ge0 cs st j w1 c0.
have := @combination_le _ _ (fun i => 0 < Z j i) mu m0 moff (fun i => \sum_k y k * Z k i) c.
rewrite m1 mul1r pairing (eq_bigr (fun k => y k * target w D Z j k)); last first.
  by move=> k _; rewrite mt.
rewrite leNgt yt => /(_ _)/notF; apply=> i /off_zero; exact: yz.
Qed.

End Separation.

(** How far from the hull, at least: for any points [P] and any vector [y]. *)
Section Distance.
Variables (R : realFieldType) (N K : nat) (on : pred 'I_N).
Variables (P : 'M[R]_(K, N)) (t y : 'cV[R]_K) (mu : 'cV[R]_N).
Hypotheses (mu_ge0 : forall i, 0 <= mu i 0) (mu_off : forall i, on i -> mu i 0 = 0).

Lemma dot_mulmx_col : dot y (P *m mu) = \sum_i mu i 0 * dot y (col i P).
Proof.
have -> : P *m mu = \sum_i mu i 0 *: col i P.
  apply/matrixP => k b; rewrite ord1 summxE !mxE; apply: eq_bigr => i _.
  by rewrite !mxE mulrC.
by rewrite dot_sumr; apply: eq_bigr => i _; rewrite dotZr.
Qed.

Lemma separated_distance c :
  dot y (P *m mu) <= c -> c <= dot y t ->
  (dot y t - c) ^+ 2 <= nsq y * nsq (t - P *m mu).
Proof.
move=> yp yt; apply: le_trans (cauchy_schwarz y (t - P *m mu)).
rewrite dotDr dotNr; apply: cle_sqr; first by rewrite subr_ge0.
by rewrite cle_add2l cle_opp2.
Qed.

(** T20, the distance to the hull: every point of it is at least (y^T t - c)/|y| away. *)
Theorem T20_hull_distance c :
  \sum_i mu i 0 = 1 -> (forall i, ~~ on i -> dot y (col i P) <= c) -> c <= dot y t ->
  (dot y t - c) ^+ 2 <= nsq y * nsq (t - P *m mu).
Proof.
move=> m1 yc; apply: separated_distance; rewrite dot_mulmx_col.
have := @combination_le _ _ on (fun i => mu i 0) mu_ge0 mu_off _ c yc.
by rewrite m1 mul1r.
Qed.

(** T20, the distance to the cone. *)
Theorem T20_cone_distance :
  (forall i, ~~ on i -> dot y (col i P) <= 0) -> 0 <= dot y t ->
  dot y t ^+ 2 <= nsq y * nsq (t - P *m mu).
Proof.
move=> yc yt; rewrite -[dot y t in leLHS]subr0; apply: separated_distance => //.
rewrite dot_mulmx_col.
have := @combination_le _ _ on (fun i => mu i 0) mu_ge0 mu_off _ 0 yc.
by rewrite mulr0.
Qed.

End Distance.

Section Corollaries.
Variables (R : realFieldType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (r : 'M[R]_(n, N)).
Hypotheses (lam_gt0 : 0 < lam) (w_ge0 : forall i, 0 <= w i) (Z_ge0 : nneg Z).
Hypotheses (codes : codes_stationary lam D Z r) (atoms : atoms_stationary w lam D Z r).

(** T20: an atom that fires only where a unit atom [j] fires equals it, at every stationary
    point, with or without a centre. *)
Theorem T20_nested j k :
  nsq (col j D) = 1 -> nsq (col k D) = 1 -> 0 < mass w Z k ->
  (forall i, Z j i = 0 -> Z k i = 0) -> col k D = col j D.
Proof.
move=> dj dk sk nest; have [mu [m0 moff mt]] := T20_conic_condition lam_gt0 w_ge0 codes atoms j.
have : target w D Z j k = 0.
  rewrite -mt big1 // => i _; have [zj|zj] := eqVneq (Z j i) 0; first by rewrite nest ?mulr0.
  by rewrite moff ?mul0r // lt_def zj Z_ge0.
rewrite /target => /eqP; rewrite mulf_eq0 gt_eqF //= subr_eq0 => /eqP cos.
apply/eqP; rewrite -subr_eq0; apply/eqP/nsq_eq0; rewrite nsqB dj dk dotC -cos; ring.
Qed.

Hypotheses (w_sum : \sum_i w i = 1) (centre : centred w r).

(** T20 with a centre: every atom is off somewhere. *)
Theorem T20_off_somewhere j : exists i, Z j i = 0.
Proof.
case: (boolP [exists i, Z j i == 0]) => [/existsP[i /eqP zi] | ]; first by exists i.
rewrite negb_exists => /forallP on; exfalso.
have [mu [_ m1 moff _]] := T20_hull_condition lam_gt0 w_ge0 codes atoms j w_sum centre.
have /eqP := m1; rewrite big1 => [|i _]; first by rewrite eq_sym oner_eq0.
by apply: moff; rewrite lt_def on Z_ge0.
Qed.

(** T20 with a centre, the window for a cosine. *)
Theorem T20_window j k low high :
  (forall i, Z j i = 0 -> low <= Z k i /\ Z k i <= high) ->
  low <= target w D Z j k /\ target w D Z j k <= high.
Proof.
move=> win; have [mu [m0 m1 moff mt]] :=
  T20_hull_condition lam_gt0 w_ge0 codes atoms j w_sum centre.
rewrite -(mt k); split.
  have := @combination_ge _ _ (fun i => 0 < Z j i) mu m0 moff (fun i => Z k i) low.
  by rewrite m1 mul1r; apply=> i /(off_zero Z_ge0) /win[].
have := @combination_le _ _ (fun i => 0 < Z j i) mu m0 moff (fun i => Z k i) high.
by rewrite m1 mul1r; apply=> i /(off_zero Z_ge0) /win[].
Qed.

(** T20 with a centre: one of an antipodal pair rises to twice its mass or more somewhere
    where the other is off. *)
Theorem T20_antipodal j k :
  nsq (col j D) = 1 -> col k D = - col j D ->
  exists2 i, Z j i = 0 & 2%:R * mass w Z k <= Z k i.
Proof.
move=> dj dk; case: (boolP [exists i, (Z j i == 0) && (2%:R * mass w Z k <= Z k i)]).
  by move=> /existsP[i /andP[/eqP zj zk]]; exists i.
rewrite negb_exists => /forallP low; exfalso.
have [mu [m0 m1 moff mt]] := T20_hull_condition lam_gt0 w_ge0 codes atoms j w_sum centre.
have tE : target w D Z j k = 2%:R * mass w Z k.
  by rewrite /target dk dotNr -/(nsq _) dj; ring.
have under i : mu i != 0 -> Z k i < 2%:R * mass w Z k.
  move=> mi; have := low i; rewrite negb_and -ltNge; case/orP => // zj.
  by case/eqP: mi; apply: moff; rewrite lt_def zj Z_ge0.
have s0 : \sum_i mu i * (2%:R * mass w Z k - Z k i) = 0.
  rewrite -[RHS](subrr (target w D Z j k)) {1}tE -[X in X - _]mul1r -m1 -(mt k) mulr_suml -sumrB.
  by apply: eq_bigr => i _; rewrite mulrBr.
have t0 i : 0 <= mu i * (2%:R * mass w Z k - Z k i).
  have [->|mi] := eqVneq (mu i) 0; first by rewrite mul0r.
  by rewrite mulr_ge0 // subr_ge0 ltW // under.
have /eqP := m1; rewrite big1 => [|i _]; first by rewrite eq_sym oner_eq0.
have /eqP : mu i * (2%:R * mass w Z k - Z k i) = 0 by apply: (psumr_eq0P _ s0).
rewrite mulf_eq0 => /orP[/eqP // | ].
rewrite subr_eq0 => /eqP zi; apply/eqP; apply: contraT => /under.
by rewrite zi ltxx.
Qed.

End Corollaries.

(** With an atom price, in whitened units. *)
Section Priced.
Variables (R : rcfType) (n N K : nat) (a : 'cV[R]_N) (lam gam : R).
Variables (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (r : 'M[R]_(n, N)).

(** The gauge of a code row, the slope of the gauge there, and the first-order conditions
    of the rows and of the unit atoms. *)
Definition row_gauge (k : 'I_K) : R := gauge a lam gam (row k Z)^T.
Definition slope (k : 'I_K) : 'cV[R]_N :=
  (row_gauge k)^-1 *: (gauge_mx a lam gam *m (row k Z)^T).
Definition priced_rows_stationary (k : 'I_K) : Prop :=
  forall i, (r^T *m col k D) i 0 <= slope k i 0 /\
            (0 < Z k i -> (r^T *m col k D) i 0 = slope k i 0).
Definition priced_atoms_stationary : Prop :=
  forall k, r *m (row k Z)^T = row_gauge k *: col k D.

Definition priced_multiplier (j : 'I_K) : 'cV[R]_N := slope j - r^T *m col j D.

Lemma priced_multiplier_ge0 j : priced_rows_stationary j ->
  nneg (priced_multiplier j) /\ forall i, 0 < Z j i -> priced_multiplier j i 0 = 0.
Proof.
move=> st; split=> i => [b | zi]; rewrite ?ord1 !mxE; have [le eq] := st i.
  by move: le; rewrite !mxE subr_ge0.
by move: (eq zi); rewrite !mxE => ->; rewrite subrr.
Qed.

(** T20 with an atom price: the conic form of the condition. *)
Theorem T20_priced_condition j :
  priced_rows_stationary j -> priced_atoms_stationary ->
  exists u : 'cV[R]_N,
    [/\ nneg u, forall i, 0 < Z j i -> u i 0 = 0 &
        forall k, dot u (row k Z)^T
                  = dot (gauge_mx a lam gam *m (row j Z)^T) (row k Z)^T / row_gauge j
                    - row_gauge k * dot (col j D) (col k D)].
Proof.
move=> rs st; have [u0 uoff] := priced_multiplier_ge0 rs.
exists (priced_multiplier j); split=> // k.
rewrite dotDl dotNl dotZl mulrC; congr (_ - _).
by rewrite dot_mull trmxK st dotZr.
Qed.

(** T20 with an atom price and a centre: how much the multipliers weigh. *)
Theorem T20_priced_centre j :
  priced_rows_stationary j -> priced_atoms_stationary -> r *m a = 0 ->
  exists u : 'cV[R]_N,
    [/\ nneg u, forall i, 0 < Z j i -> u i 0 = 0,
        forall k, dot u (row k Z)^T
                  = dot (gauge_mx a lam gam *m (row j Z)^T) (row k Z)^T / row_gauge j
                    - row_gauge k * dot (col j D) (col k D) &
        dot u a = (lam ^+ 2 * nsq a + gam ^+ 2) * dot a (row j Z)^T / row_gauge j].
Proof.
move=> rs st ra; have [u0 uoff] := priced_multiplier_ge0 rs.
exists (priced_multiplier j); split=> //.
  move=> k; rewrite dotDl dotNl dotZl mulrC; congr (_ - _).
  by rewrite dot_mull trmxK st dotZr.
rewrite dotDl dotNl dotZl [dot (r^T *m _) _]dot_mull trmxK ra dot0r subr0 mulrC.
congr (_ / _); rewrite /gauge_mx mulmxDl dotDl -!scalemxAl !dotZl mul1mx mulrDl.
rewrite [dot (row j Z)^T a]dotC -mulrA; congr (_ * _ + _).
move: (row j Z)^T => z; rewrite -mulmxA dot_mull.
rewrite /nsq /dot !big_ord_recl !big_ord0 !addr0 !mxE mulrC; congr (_ * _).
  by apply: eq_bigr => i _; rewrite !big_ord_recl !big_ord0 !addr0 !mxE.
by apply: eq_bigr => i _; rewrite !big_ord_recl !big_ord0 !addr0 !mxE.
Qed.

End Priced.
