(** * T5. The regime boundary: copositivity with a zero diagonal is a condition on
    pairs, and with it "one atom per datapoint is optimal" is one on angles. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge CopositiveDuality GaugeDuality.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section PairThreshold.
Variables (R : realFieldType) (N : nat).
Implicit Types (B : 'M[R]_N).

Lemma qf_delta B i j : dot (delta_mx i 0 : 'cV_N) (B *m (delta_mx j 0 : 'cV_N)) = B i j.
Proof. by rewrite dot_tr trmx_delta -rowE -colE /mxtrace big_ord_recl big_ord0 addr0 !mxE. Qed.

Lemma qf_pair B i j :
  qf B (delta_mx i 0 + delta_mx j 0) = B i i + B i j + B j i + B j j.
Proof. by rewrite /qf mulmxDr dotDl !dotDr !qf_delta; ring. Qed.

Theorem T5_copositive_offdiag B :
  B^T = B -> (forall i, B i i = 0) -> copositive B -> forall i j, 0 <= B i j.
Proof.
move=> Bs B0 cop i j.
have Bji : B j i = B i j by rewrite -{1}Bs mxE.
have : 0 <= qf B (delta_mx i 0 + delta_mx j 0).
  by apply: cop => a b; rewrite !mxE addr_ge0 ?ler0n.
rewrite qf_pair !B0 Bji add0r addr0 => /(@cle_half R).
have -> : (B i j + B i j) / 2%:R = B i j by field.
by rewrite mul0r.
Qed.

Theorem T5_zero_diag_copositive_iff B :
  B^T = B -> (forall i, B i i = 0) -> (copositive B <-> nneg B).
Proof.
move=> Bs B0; split; last exact: nneg_copositive.
by move=> cop i j; apply: T5_copositive_offdiag.
Qed.

End PairThreshold.

Section Angles.
Variables (R : realFieldType) (n N : nat) (a : 'cV[R]_N) (lam gam : R).
Variables (u : 'I_N -> 'cV[R]_n) (kap : 'I_N -> R).

(** Residual of one atom per datapoint: length [kap i] along the unit vector [u i]. *)
Definition radial_residual : 'M[R]_(n, N) := \matrix_(b, i) (kap i * u i b 0).

Lemma radial_slackE i j :
  (gauge_mx a lam gam - radial_residual^T *m radial_residual) i j
  = lam ^+ 2 * (a i 0 * a j 0) + gam ^+ 2 * (i == j)%:R - kap i * kap j * dot (u i) (u j).
Proof.
rewrite !mxE big_ord_recl big_ord0 addr0 !mxE; congr (_ - _).
rewrite /dot mulr_sumr; apply: eq_bigr => b _.
by rewrite big_ord_recl big_ord0 addr0 !mxE mulrACA.
Qed.

(** T5: the slack is copositive exactly when every pair of datapoints is far
    enough apart. *)
Theorem T5_angle_iff :
  (forall i, nsq (u i) = 1) ->
  (forall i, kap i ^+ 2 = lam ^+ 2 * a i 0 ^+ 2 + gam ^+ 2) ->
  (copositive (gauge_mx a lam gam - radial_residual^T *m radial_residual) <->
   forall i j, i != j -> kap i * kap j * dot (u i) (u j) <= lam ^+ 2 * (a i 0 * a j 0)).
Proof.
move=> u1 kE; set B := gauge_mx _ _ _ - _.
have Bs : B^T = B.
  by apply/matrixP => i j; rewrite mxE !radial_slackE eq_sym dotC [a j 0 * _]mulrC [kap j * _]mulrC.
have B0 i : B i i = 0.
  by rewrite radial_slackE eqxx mulr1 -/(nsq _) u1 mulr1 -!expr2 kE subrr.
apply: (iff_trans (T5_zero_diag_copositive_iff Bs B0)); split=> [Bp i j ij | pair i j].
  by have := Bp i j; rewrite radial_slackE (negbTE ij) mulr0 addr0 subr_ge0.
have [->|ij] := eqVneq i j; first by rewrite B0.
by rewrite radial_slackE (negbTE ij) mulr0 addr0 subr_ge0; apply: pair.
Qed.

End Angles.

Section OneAtomEach.
Variables (R : rcfType) (n N : nat) (a : 'cV[R]_N) (lam gam : R).
Variables (u : 'I_N -> 'cV[R]_n) (rho kap : 'I_N -> R).

(** The whitened datapoints, one unit atom each, and the soft-thresholded codes. *)
Definition radial_data : 'M[R]_(n, N) := \matrix_(b, i) (rho i * u i b 0).
Definition radial_atoms : 'M[R]_(n, N) := \matrix_(b, i) u i b 0.
Definition radial_codes : 'M[R]_N :=
  \matrix_(k, i) (if k == i then rho i - kap i else 0).

(** T5: with every datapoint active, one atom per datapoint is a global optimum
    over all widths exactly when the angles satisfy the pairwise condition. *)
Theorem T5_one_atom_each_iff :
  (forall i, nsq (u i) = 1) ->
  (forall i, 0 <= kap i) -> (forall i, kap i <= rho i) ->
  (forall i, kap i ^+ 2 = lam ^+ 2 * a i 0 ^+ 2 + gam ^+ 2) ->
  (global_optimum a lam gam radial_data radial_atoms radial_codes <->
   forall i j, i != j -> kap i * kap j * dot (u i) (u j) <= lam ^+ 2 * (a i 0 * a j 0)).
Proof.
move=> u1 k0 rk kE.
have colA k : col k radial_atoms = u k by apply/matrixP => i j; rewrite !mxE ord1.
have c0 i : 0 <= rho i - kap i by rewrite subr_ge0.
have Z0 : nneg radial_codes by move=> k i; rewrite mxE; case: ifP.
have codesE : radial_codes = diag_mx (\row_i (rho i - kap i)).
  by apply/matrixP => k i; rewrite !mxE; case: eqP => [->|]; rewrite ?mulr1n ?mulr0n.
have DZ : radial_atoms *m radial_codes = \matrix_(b, i) ((rho i - kap i) * u i b 0).
  by rewrite codesE mul_mx_diag; apply/matrixP => b i; rewrite !mxE mulrC.
have res : radial_data - radial_atoms *m radial_codes = radial_residual u kap.
  by rewrite DZ; apply/matrixP => b i; rewrite !mxE -mulrBl subKr.
have pen : gauge_pen a lam gam radial_atoms radial_codes = \sum_k kap k * (rho k - kap k).
  apply: eq_bigr => k _; rewrite colA /nrm u1 sqrtr1 mul1r.
  have -> : gauge a lam gam (row k radial_codes)^T
          = Num.sqrt ((kap k * (rho k - kap k)) ^+ 2).
    have rowk : (row k radial_codes)^T = (rho k - kap k) *: delta_mx k 0.
      apply/matrixP => i j; rewrite !mxE ord1 eqxx andbT [i == k]eq_sym.
      by case: eqP => [->|]; rewrite ?mulr1 ?mulr0.
    congr Num.sqrt; rewrite /gauge_sq rowk dotZr nsqZ.
    have -> : dot a (delta_mx k 0) = a k 0.
      by rewrite dot_tr -colE /mxtrace big_ord_recl big_ord0 addr0 !mxE.
    have -> : nsq (delta_mx k 0 : 'cV[R]_N) = 1.
      by rewrite /nsq dot_tr -colE /mxtrace big_ord_recl big_ord0 addr0 !mxE !eqxx.
    by rewrite [RHS]exprMn kE; ring.
  by rewrite sqrtr_sqr ger0_norm // mulr_ge0.
have tight : dot (radial_residual u kap) (radial_atoms *m radial_codes)
           = gauge_pen a lam gam radial_atoms radial_codes.
  rewrite pen DZ dot_col; apply: eq_bigr => k _.
  have -> : col k (radial_residual u kap) = kap k *: u k.
    by apply/matrixP => i j; rewrite !mxE ord1.
  have -> : col k (\matrix_(b, i) ((rho i - kap i) * u i b 0)) = (rho k - kap k) *: u k.
    by apply/matrixP => i j; rewrite !mxE ord1.
  by rewrite dotZl dotZr -/(nsq _) u1 mulr1.
apply: iff_trans (T5_angle_iff u1 kE).
apply: iff_trans (T8_global_criterion a lam gam radial_data radial_atoms Z0) _.
rewrite res; have pol := T2_polar_iff_copositive a lam gam (radial_residual u kap) ler01.
rewrite expr1n scale1r in pol.
by split=> [[/pol]|/pol].
Qed.

End OneAtomEach.
