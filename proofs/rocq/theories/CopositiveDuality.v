(** * T2, T3. Copositive weak duality, and its split into S + T. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Cones.
Variable R : realFieldType.

(** Quadratic form v^T A v. *)
Definition qf N (A : 'M[R]_N) (v : 'cV[R]_N) : R := dot v (A *m v).
Definition psd N (A : 'M[R]_N) : Prop := forall v, 0 <= qf A v.
Definition copositive N (A : 'M[R]_N) : Prop := forall v, nneg v -> 0 <= qf A v.

Lemma qfD N (A B : 'M[R]_N) v : qf (A + B) v = qf A v + qf B v.
Proof. by rewrite /qf mulmxDl dotDr. Qed.

Lemma qfN N (A : 'M[R]_N) v : qf (- A) v = - qf A v.
Proof. by rewrite /qf mulNmx dotNr. Qed.

Lemma qfE N (A : 'M[R]_N) (v : 'cV[R]_N) :
  qf A v = \sum_i \sum_j v i 0 * A i j * v j 0.
Proof.
apply: eq_bigr => i _; rewrite big_ord_recl big_ord0 addr0 mxE big_distrr /=.
by apply: eq_bigr => j _; rewrite mulrA.
Qed.

Lemma qf_gram n N (B : 'M[R]_(n, N)) v : qf (B^T *m B) v = nsq (B *m v).
Proof. by rewrite /qf /nsq dot_mull mulmxA. Qed.

Lemma nneg_copositive N (T : 'M[R]_N) : nneg T -> copositive T.
Proof.
move=> T0 v v0; rewrite qfE; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _.
by rewrite !mulr_ge0.
Qed.

Lemma psd_copositive N (S : 'M[R]_N) : psd S -> copositive S.
Proof. by move=> S0 v _; apply: S0. Qed.

Lemma copositiveD N (A B : 'M[R]_N) :
  copositive A -> copositive B -> copositive (A + B).
Proof. by move=> A0 B0 v v0; rewrite qfD addr_ge0 ?A0 ?B0. Qed.

(** tr(Z A Z^T) is the sum of the quadratic forms of the rows of Z. *)
Lemma tr_qf K N (Z : 'M[R]_(K, N)) (A : 'M[R]_N) :
  \tr (Z *m A *m Z^T) = \sum_k qf A (row k Z)^T.
Proof.
rewrite /mxtrace; apply: eq_bigr => k _.
rewrite qfE mxE exchange_big /=; apply: eq_bigr => j _.
rewrite !mxE big_distrl /=; apply: eq_bigr => i _.
by rewrite !mxE.
Qed.

Lemma tr_gram n K N (Z : 'M[R]_(K, N)) (B : 'M[R]_(n, N)) :
  \tr (Z *m (B^T *m B) *m Z^T) = nsq (B *m Z^T).
Proof. by rewrite /nsq dot_tr trmx_mul trmxK !mulmxA. Qed.

End Cones.

Section WeakDuality.
Variable R : realFieldType.
Variables (n N K : nat).
Implicit Types (X Rm : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)).
Implicit Types (A S T : 'M[R]_N).

(** Regularised (rescaled) objective. *)
Definition reg_obj X A D Z : R :=
  nsq (X - D *m Z) / 2%:R + nsq D / 2%:R + \tr (Z *m A *m Z^T) / 2%:R.
(** Dual value of a certificate [Rm]. *)
Definition dual_val X Rm : R := dot X Rm - nsq Rm / 2%:R.

(** General form: the slack only needs to be copositive. *)
Theorem T2_copositive_weak_duality X Rm A D Z :
  copositive (A - Rm^T *m Rm) -> nneg Z ->
  dual_val X Rm <= reg_obj X A D Z.
Proof.
move=> cop Z0; rewrite /dual_val /reg_obj.
have trA : nsq (Rm *m Z^T) <= \tr (Z *m A *m Z^T).
  rewrite -tr_gram !tr_qf; apply: ler_sum => k _.
  rewrite -subr_ge0 -qfN -qfD; apply: cop => i j; rewrite !mxE; exact: Z0.
have y1 := young (X - D *m Z) Rm.
have y2 := young D (Rm *m Z^T).
rewrite -dot_mulr in y2.
rewrite dotDl dotNl in y1.
have -> : dot X Rm - nsq Rm / 2%:R
        = dot X Rm - dot (D *m Z) Rm - nsq Rm / 2%:R + dot (D *m Z) Rm by ring.
rewrite -[leRHS]addrA; apply: cle_add; first by rewrite cle_sub.
by apply: le_trans y2 _; rewrite cle_add2l; apply: cle_half.
Qed.

(** As stated: slack split into a PSD part and an entrywise nonnegative part. *)
Theorem T3_split_weak_duality X Rm A S T D Z :
  psd S -> nneg T -> A - Rm^T *m Rm = S + T -> nneg Z ->
  dual_val X Rm <= reg_obj X A D Z.
Proof.
move=> S0 T0 AE Z0; apply: T2_copositive_weak_duality => //.
by rewrite AE; apply: copositiveD; [apply: psd_copositive | apply: nneg_copositive].
Qed.

(** PSD part given by an explicit (e.g. Cholesky/LDL) factor, which is what a
    checker verifies: S = L^T diag(p) L with p >= 0. *)
Theorem T3_psd_factor m (L : 'M[R]_(m, N)) (p : 'rV[R]_m) :
  nneg p -> psd (L^T *m diag_mx p *m L).
Proof.
move=> p0 v; rewrite /qf -!mulmxA -dot_mull.
rewrite /dot; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _.
rewrite mul_diag_mx [X in _ * X]mxE mulrCA mulr_ge0 //.
by rewrite -expr2 sqr_ge0.
Qed.

(** Certified bound for the original objective with |d_k| <= 1: the penalty
    matrix is lam^2 * 1 1^T.  (Square-root free, holds over any ordered field.) *)
Theorem T2_unit_atom_lower_bound lam X Rm D Z :
  0 <= lam -> copositive (const_mx (lam ^+ 2) - Rm^T *m Rm) -> nneg Z ->
  (forall k, nsq (col k D) <= 1) ->
  dual_val X Rm <= l1_obj lam X D Z.
Proof.
move=> l0 cop Z0 D1; rewrite /dual_val /l1_obj.
have y1 := young (X - D *m Z) Rm.
rewrite dotDl dotNl in y1.
have y2 : dot (D *m Z) Rm <= lam * tot Z.
  rewrite dot_mulr dot_col /tot big_distrr /=; apply: ler_sum => k _.
  set s := lam * _.
  have s0 : 0 <= s by rewrite mulr_ge0 // sumr_ge0.
  apply: dot_le_bound => //.
  have -> : col k (Rm *m Z^T) = Rm *m (row k Z)^T by rewrite col_mulmx tr_row.
  have zk : nneg (row k Z)^T by move=> i j; rewrite !mxE.
  rewrite -qf_gram -subr_ge0.
  suff -> : s ^+ 2 = qf (const_mx (lam ^+ 2)) (row k Z)^T by rewrite -qfN -qfD cop.
  rewrite qfE /s exprMn expr2 [X in _ * X]expr2 mulr_suml mulr_sumr.
  apply: eq_bigr => i _; rewrite [X in _ * X]mulr_sumr mulr_sumr.
  by apply: eq_bigr => j _; rewrite !mxE; ring.
have -> : dot X Rm - nsq Rm / 2%:R
        = dot X Rm - dot (D *m Z) Rm - nsq Rm / 2%:R + dot (D *m Z) Rm by ring.
by apply: cle_add => //; rewrite cle_sub.
Qed.

End WeakDuality.
