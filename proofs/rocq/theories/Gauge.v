(** * T7. The gauge of a code row, its matrix, and its polar.

  [a] is the whitened constant vector (its entries are the square roots of the
  weights); the weighted gauge [wgauge] is the same thing before whitening. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section GaugeSquare.
Variables (R : realFieldType) (N : nat).
Implicit Types (a v z : 'cV[R]_N) (lam gam tau : R) (w : 'I_N -> R).

(** Squared gauge in whitened units: lam^2 (a^T z)^2 + gam^2 |z|^2. *)
Definition gauge_sq a lam gam z : R := lam ^+ 2 * dot a z ^+ 2 + gam ^+ 2 * nsq z.

(** Weighted sum and weighted sum of squares of a code row. *)
Definition wsum w z : R := \sum_i w i * z i 0.
Definition wsq w z : R := \sum_i w i * z i 0 ^+ 2.
Definition wgauge_sq w lam gam z : R := lam ^+ 2 * wsum w z ^+ 2 + gam ^+ 2 * wsq w z.

(** The matrix A of the gauge: g(z)^2 = z^T A z. *)
Definition gauge_mx a lam gam : 'M[R]_N := lam ^+ 2 *: (a *m a^T) + gam ^+ 2 *: 1%:M.

(** Entrywise positive part. *)
Definition pos v : 'cV[R]_N := \matrix_(i, j) Num.max (v i j) 0.

Lemma gauge_sq_ge0 a lam gam z : 0 <= gauge_sq a lam gam z.
Proof. by rewrite addr_ge0 // mulr_ge0 ?sqr_ge0 ?nsq_ge0. Qed.

Lemma wsq_ge0 w z : (forall i, 0 <= w i) -> 0 <= wsq w z.
Proof. by move=> w0; apply: sumr_ge0 => i _; rewrite mulr_ge0 ?sqr_ge0. Qed.

Lemma wgauge_sq_ge0 w lam gam z : (forall i, 0 <= w i) -> 0 <= wgauge_sq w lam gam z.
Proof. by move=> w0; rewrite addr_ge0 // mulr_ge0 ?sqr_ge0 ?wsq_ge0. Qed.

Lemma wsum_ge0 w z : (forall i, 0 <= w i) -> nneg z -> 0 <= wsum w z.
Proof. by move=> w0 z0; apply: sumr_ge0 => i _; rewrite mulr_ge0. Qed.

Lemma dot_ge0 m n (u v : 'M[R]_(m, n)) : nneg u -> nneg v -> 0 <= dot u v.
Proof.
by move=> u0 v0; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _; rewrite mulr_ge0.
Qed.

Lemma pos_ge0 v : nneg (pos v).
Proof. by move=> i j; rewrite mxE cmax_ge0. Qed.

(** On the orthant a vector is dominated by its positive part. *)
Lemma dot_pos v z : nneg z -> dot v z <= dot (pos v) z.
Proof.
move=> z0; apply: ler_sum => i _; apply: ler_sum => j _; rewrite mxE.
by apply: cle_wpmul2r => //; case: (leP (v i j) 0).
Qed.

(** The positive part is orthogonal to what it cuts off. *)
Lemma dot_pos_self v : dot v (pos v) = nsq (pos v).
Proof.
apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite mxE.
by case: (leP (v i j) 0) => //; rewrite !mulr0.
Qed.

(** Cauchy-Schwarz in the plane. *)
Lemma cs2 (p q r s : R) :
  (p * q + r * s) ^+ 2 <= (p ^+ 2 + r ^+ 2) * (q ^+ 2 + s ^+ 2).
Proof.
rewrite -subr_ge0.
have -> : (p ^+ 2 + r ^+ 2) * (q ^+ 2 + s ^+ 2) - (p * q + r * s) ^+ 2
        = (p * s - r * q) ^+ 2 by ring.
exact: sqr_ge0.
Qed.

End GaugeSquare.

Section Gauge.
Variables (R : rcfType) (N : nat).
Implicit Types (a v z : 'cV[R]_N) (lam gam tau : R) (w : 'I_N -> R).

(** The gauge in whitened units, and with the weights written. *)
Definition gauge a lam gam z : R := Num.sqrt (gauge_sq a lam gam z).
Definition wgauge w lam gam z : R := Num.sqrt (wgauge_sq w lam gam z).

Lemma gauge_ge0 a lam gam z : 0 <= gauge a lam gam z.
Proof. exact: sqrtr_ge0. Qed.

Lemma gauge_sqr a lam gam z : gauge a lam gam z ^+ 2 = gauge_sq a lam gam z.
Proof. by rewrite sqr_sqrtr ?gauge_sq_ge0. Qed.

Lemma wgauge_ge0 w lam gam z : 0 <= wgauge w lam gam z.
Proof. exact: sqrtr_ge0. Qed.

Lemma wgauge_sqr w lam gam z :
  (forall i, 0 <= w i) -> wgauge w lam gam z ^+ 2 = wgauge_sq w lam gam z.
Proof. by move=> w0; rewrite sqr_sqrtr ?wgauge_sq_ge0. Qed.

(** The gauge is at least the l1 term, whatever the atom price. *)
Lemma wgauge_ge_l1 w lam gam z :
  (forall i, 0 <= w i) -> lam * wsum w z <= wgauge w lam gam z.
Proof.
move=> w0; apply: csqr_le; first exact: wgauge_ge0.
by rewrite wgauge_sqr // exprMn cle_addl mulr_ge0 ?sqr_ge0 ?wsq_ge0.
Qed.

(** Without an atom price the gauge is the l1 term. *)
Lemma wgauge_l1 w lam z :
  (forall i, 0 <= w i) -> nneg z -> 0 <= lam -> wgauge w lam 0 z = lam * wsum w z.
Proof.
move=> w0 z0 l0; rewrite /wgauge /wgauge_sq expr0n mul0r addr0 -exprMn sqrtr_sqr.
by rewrite ger0_norm // mulr_ge0 ?wsum_ge0.
Qed.

(** Whitening: a_i = sqrt w_i, the row scaled entrywise by a. *)
Definition whiten_vec w : 'cV[R]_N := \col_i Num.sqrt (w i).
Definition whiten_row w z : 'cV[R]_N := \col_i (Num.sqrt (w i) * z i 0).

Lemma wgauge_whiten w lam gam z : (forall i, 0 <= w i) ->
  wgauge w lam gam z = gauge (whiten_vec w) lam gam (whiten_row w z).
Proof.
move=> w0; rewrite /wgauge /gauge /wgauge_sq /gauge_sq.
have sq i : w i = Num.sqrt (w i) * Num.sqrt (w i) by rewrite -expr2 sqr_sqrtr.
congr (Num.sqrt (_ * _ ^+ 2 + _ * _)); apply: eq_bigr => i _;
  rewrite big_ord_recl big_ord0 addr0 !mxE [X in X * _ = _]sq -?mulrA //.
by rewrite expr2 [z i 0 * (_ * _)]mulrCA.
Qed.

(** The objective with the gauge: whitened, and with the weights written.
    The atoms may have any norm. *)
Definition gauge_obj n K a lam gam (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) : R :=
  nsq (X - D *m Z) / 2%:R + \sum_k nrm (col k D) * gauge a lam gam (row k Z)^T.
Definition wgauge_obj n K w lam gam (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) : R :=
  \sum_i w i * (nsq (col i (X - D *m Z)) / 2%:R)
  + \sum_k nrm (col k D) * wgauge w lam gam (row k Z)^T.

(** Whitening a matrix scales its columns. *)
Definition whiten_mx m w (X : 'M[R]_(m, N)) : 'M[R]_(m, N) :=
  \matrix_(i, j) (Num.sqrt (w j) * X i j).

(** The weighted problem is the whitened one. *)
Theorem T2_whitening n K w lam gam (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) : (forall i, 0 <= w i) ->
  wgauge_obj w lam gam X D Z
  = gauge_obj (whiten_vec w) lam gam (whiten_mx w X) D (whiten_mx w Z).
Proof.
move=> w0; rewrite /wgauge_obj /gauge_obj; congr (_ + _).
  have -> : whiten_mx w X - D *m whiten_mx w Z = whiten_mx w (X - D *m Z).
    apply/matrixP => i j; rewrite !mxE mulrBr mulr_sumr; congr (_ - _).
    by apply: eq_bigr => k _; rewrite mxE mulrCA.
  rewrite [nsq (whiten_mx _ _)]dot_col mulr_suml; apply: eq_bigr => i _.
  have -> : col i (whiten_mx w (X - D *m Z)) = Num.sqrt (w i) *: col i (X - D *m Z).
    by apply/matrixP => j k; rewrite !mxE.
  by rewrite -/(nsq _) nsqZ sqr_sqrtr // mulrA.
apply: eq_bigr => k _; rewrite wgauge_whiten //; congr (_ * gauge _ _ _ _).
by apply/matrixP => i j; rewrite !mxE.
Qed.

(** Without an atom price and with unit atoms this is the weighted l1 objective. *)
Lemma wgauge_obj_l1 n K w lam (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  (forall i, 0 <= w i) -> 0 <= lam -> nneg Z -> (forall k, nrm (col k D) = 1) ->
  wgauge_obj w lam 0 X D Z = wl1_obj w lam X D Z.
Proof.
move=> w0 l0 Z0 D1; rewrite /wgauge_obj /wl1_obj.
have -> : \sum_k nrm (col k D) * wgauge w lam 0 (row k Z)^T
        = \sum_k lam * wsum w (row k Z)^T.
  apply: eq_bigr => k _; rewrite D1 mul1r wgauge_l1 // => i j; rewrite !mxE; exact: Z0.
rewrite -mulr_sumr exchange_big /= mulr_sumr -big_split /=.
apply: eq_bigr => i _; rewrite mulrDr; congr (_ + _).
rewrite mulrCA; congr (_ * _); rewrite mulr_sumr; apply: eq_bigr => k _.
by rewrite !mxE.
Qed.

(** T7, upper bound: every tau bounds the polar, v^T z <= g(z) g_tau(v).
    (The minimiser has tau >= 0, but the bound needs no sign.) *)
Theorem T7_polar_upper_bound a lam gam tau v z :
  0 < lam -> 0 < gam -> nneg z ->
  dot v z <= gauge a lam gam z
             * Num.sqrt (nsq (pos (v - tau *: a)) / gam ^+ 2 + tau ^+ 2 / lam ^+ 2).
Proof.
move=> l0 g0 z0; set p := pos _.
have ln : lam != 0 by rewrite gt_eqF.
have gn : gam != 0 by rewrite gt_eqF.
have E0 : 0 <= nsq p / gam ^+ 2 + tau ^+ 2 / lam ^+ 2.
  by rewrite addr_ge0 // divr_ge0 ?nsq_ge0 ?sqr_ge0.
have split : dot v z <= nrm p * nrm z + tau * dot a z.
  have -> : dot v z = dot (v - tau *: a) z + tau * dot a z.
    by rewrite dotDl dotNl dotZl subrK.
  rewrite cle_add2r; apply: le_trans (dot_pos _ z0) _; exact: dot_le_nrm.
apply: le_trans split _; apply: csqr_le.
  by rewrite mulr_ge0 ?gauge_ge0 ?sqrtr_ge0.
rewrite exprMn gauge_sqr sqr_sqrtr // /gauge_sq.
have -> : nrm p * nrm z + tau * dot a z
        = (lam * dot a z) * (tau / lam) + (gam * nrm z) * (nrm p / gam).
  by field; rewrite ln gn.
apply: le_trans (cs2 _ _ _ _) _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by rewrite !exprMn !nrm_sq !exprVn addrC [tau ^+ 2 / _ + _]addrC [X in X * _]addrC.
Qed.

(** T7, attainment: at the root of tau = (lam^2 / gam^2) a^T (v - tau a)_+ the
    vector (v - tau a)_+ attains the bound, so the minimum over tau is the polar. *)
Theorem T7_polar_attained a lam gam tau v :
  0 < lam -> 0 < gam ->
  tau * gam ^+ 2 = lam ^+ 2 * dot a (pos (v - tau *: a)) ->
  dot v (pos (v - tau *: a))
  = gauge a lam gam (pos (v - tau *: a))
    * Num.sqrt (nsq (pos (v - tau *: a)) / gam ^+ 2 + tau ^+ 2 / lam ^+ 2).
Proof.
move=> l0 g0; set p := pos _ => root.
have ln : lam != 0 by rewrite gt_eqF.
have gn : gam != 0 by rewrite gt_eqF.
have ap : dot a p = tau * gam ^+ 2 / lam ^+ 2 by rewrite root; field.
set E := nsq p / gam ^+ 2 + tau ^+ 2 / lam ^+ 2.
have E0 : 0 <= E by rewrite addr_ge0 // divr_ge0 ?nsq_ge0 ?sqr_ge0.
have vp : dot v p = gam ^+ 2 * E.
  have -> : dot v p = dot (v - tau *: a) p + tau * dot a p.
    by rewrite dotDl dotNl dotZl subrK.
  by rewrite dot_pos_self -/p ap /E; field; rewrite ln gn.
have -> : gauge a lam gam p = gam ^+ 2 * Num.sqrt E.
  rewrite -[gam ^+ 2]ger0_norm ?sqr_ge0 // -sqrtr_sqr -sqrtrM ?sqr_ge0 //.
  congr Num.sqrt; rewrite /gauge_sq ap /E; field; by rewrite ln gn.
by rewrite vp -mulrA -expr2 sqr_sqrtr.
Qed.

End Gauge.
