(** * T4. The wide-limit lower bound and its attainment: one datapoint, a data
    set, a weighted data set, and any gauge. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Radial Gauge.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section WideLimit.
Variable R : rcfType.
Variables (n : nat) (lam : R).
Hypothesis lam_ge0 : 0 <= lam.

(** Single-datapoint objective 1/2 |x - sum_k z_k d_k|^2 + lam sum_k z_k. *)
Definition obj1 K (d : 'I_K -> 'cV[R]_n) (x : 'cV[R]_n) (z : 'I_K -> R) : R :=
  nsq (x - \sum_k z k *: d k) / 2%:R + lam * \sum_k z k.

Theorem T4_lower_bound K (d : 'I_K -> 'cV[R]_n) (x : 'cV[R]_n) (z : 'I_K -> R) :
  (forall k, nrm (d k) <= 1) -> (forall k, 0 <= z k) ->
  huber lam (nrm x) <= obj1 d x z.
Proof.
move=> d1 z0; set t := \sum_k z k.
have t0 : 0 <= t by apply: sumr_ge0.
have Dz : nrm (\sum_k z k *: d k) <= t.
  apply: le_trans (nrm_sum _) _; apply: ler_sum => k _.
  by rewrite nrmZ ger0_norm // -[leRHS]mulr1; apply: cle_wpmul2l.
apply: le_trans (T4_radial_bound (nrm_ge0 x) t0 lam_ge0) _.
rewrite /obj1 cle_add2r -nrm_sq; apply: cle_half; apply: cle_sqr (soft_ge0 _ _) _.
rewrite /soft; apply: cle_max (nrm_ge0 _).
by apply: le_trans (nrmB_ge _ _); rewrite cle_add2l cle_opp2.
Qed.

(** Normalised datapoint (0 when x = 0, by x / 0 = 0). *)
Definition unit_atom (x : 'cV[R]_n) : 'cV[R]_n := (nrm x)^-1 *: x.

Lemma unit_atom_le1 x : nrm (unit_atom x) <= 1.
Proof.
rewrite nrmZ ger0_norm ?invr_ge0 ?nrm_ge0 //.
have [->|x0] := eqVneq (nrm x) 0; first by rewrite mulr0 ler01.
by rewrite mulVf.
Qed.

Lemma nrm_unit_atom x : nrm x *: unit_atom x = x.
Proof.
have [x0|x0] := eqVneq (nrm x) 0.
  by rewrite x0 scale0r (nrm_eq0 x0).
by rewrite scalerA divff // scale1r.
Qed.

Theorem T4_attained (x : 'cV[R]_n) :
  obj1 (fun _ : 'I_1 => unit_atom x) x (fun _ => soft lam (nrm x))
  = huber lam (nrm x).
Proof.
rewrite /obj1 !big_ord_recl !big_ord0 !addr0.
set s := soft _ _; set r := nrm x.
have r0 : 0 <= r := nrm_ge0 x.
have sr : s <= r by rewrite /s /soft; apply: cle_max => //; rewrite cle_sub cle_addl.
have -> : x - s *: unit_atom x = (r - s) *: unit_atom x
  by rewrite scalerBl nrm_unit_atom.
rewrite -(T4_radial_eq r0 lam_ge0) -/s; congr (_ / _ + _).
rewrite nsqZ /soft max_l ?subr_ge0 //.
have [u0|u0] := eqVneq r 0.
  have -> : s = 0 by apply/eqP; rewrite eq_le -{1}u0 sr soft_ge0.
  by rewrite u0 subr0 expr0n mul0r.
by rewrite -nrm_sq nrmZ ger0_norm ?invr_ge0 // -/r mulVf // expr1n mulr1.
Qed.

(** Data-set versions, for any number [K] of atoms. *)
Lemma mulmx_col N K (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) i :
  col i (D *m Z) = \sum_k Z k i *: col k D.
Proof.
apply/matrixP => a b; rewrite summxE !mxE; apply: eq_bigr => k _.
by rewrite !mxE mulrC.
Qed.

Lemma l1_obj_split N K (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  l1_obj lam X D Z = \sum_i obj1 (fun k => col k D) (col i X) (fun k => Z k i).
Proof.
rewrite /l1_obj /obj1 big_split /= -mulr_suml -mulr_sumr; congr (_ / _ + _ * _).
  by rewrite /nsq dot_col; apply: eq_bigr => i _; rewrite linearB /= mulmx_col.
by rewrite /tot exchange_big.
Qed.

Theorem T4_dataset_lower_bound N K (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  (forall k, nrm (col k D) <= 1) -> nneg Z ->
  \sum_i huber lam (nrm (col i X)) <= l1_obj lam X D Z.
Proof.
by move=> D1 Z0; rewrite l1_obj_split; apply: ler_sum => i _; apply: T4_lower_bound.
Qed.

(** With one atom per datapoint the bound is attained. *)
Definition wide_dict N (X : 'M[R]_(n, N)) : 'M[R]_(n, N) :=
  \matrix_(a, i) unit_atom (col i X) a 0.
Definition wide_code N (X : 'M[R]_(n, N)) : 'M[R]_N :=
  \matrix_(k, i) (if k == i then soft lam (nrm (col i X)) else 0).

Lemma col_wide_dict N (X : 'M[R]_(n, N)) k : col k (wide_dict X) = unit_atom (col k X).
Proof. by apply/matrixP => a b; rewrite !mxE. Qed.

Lemma obj1_wide N (X : 'M[R]_(n, N)) i :
  obj1 (fun k => col k (wide_dict X)) (col i X) (fun k => wide_code X k i)
  = huber lam (nrm (col i X)).
Proof.
rewrite -T4_attained /obj1.
have offd k : k != i -> wide_code X k i = 0 by move=> ki; rewrite mxE (negbTE ki).
have diag : wide_code X i i = soft lam (nrm (col i X)) by rewrite mxE eqxx.
rewrite (bigD1 i) //= diag big1 ?addr0; last by move=> k /offd ->; rewrite scale0r.
rewrite [\sum_(k < N) _](bigD1 i) //= diag big1 ?addr0 //.
by rewrite col_wide_dict !big_ord_recl !big_ord0 !addr0.
Qed.

Theorem T4_dataset_attained N (X : 'M[R]_(n, N)) :
  [/\ forall k, nrm (col k (wide_dict X)) <= 1, nneg (wide_code X) &
      l1_obj lam X (wide_dict X) (wide_code X) = \sum_i huber lam (nrm (col i X))].
Proof.
split.
- by move=> k; rewrite col_wide_dict unit_atom_le1.
- by move=> k i; rewrite mxE; case: eqP => // _; apply: soft_ge0.
by rewrite l1_obj_split; apply: eq_bigr => i _; rewrite obj1_wide.
Qed.

(** Weighted data sets. *)
Lemma wl1_obj_split N K w (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  wl1_obj w lam X D Z
  = \sum_i w i * obj1 (fun k => col k D) (col i X) (fun k => Z k i).
Proof.
apply: eq_bigr => i _; rewrite /obj1; congr (_ * (nsq _ / _ + _)).
by rewrite linearB /= mulmx_col.
Qed.

Theorem T4_weighted_lower_bound N K w (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) :
  (forall i, 0 <= w i) -> (forall k, nrm (col k D) <= 1) -> nneg Z ->
  \sum_i w i * huber lam (nrm (col i X)) <= wl1_obj w lam X D Z.
Proof.
move=> w0 D1 Z0; rewrite wl1_obj_split; apply: ler_sum => i _.
by apply: cle_wpmul2l => //; apply: T4_lower_bound.
Qed.

Theorem T4_weighted_attained N w (X : 'M[R]_(n, N)) :
  wl1_obj w lam X (wide_dict X) (wide_code X)
  = \sum_i w i * huber lam (nrm (col i X)).
Proof.
by rewrite wl1_obj_split; apply: eq_bigr => i _; rewrite obj1_wide.
Qed.

(** For every gauge, number of atoms and norms of atoms: F_M >= F_infinity. *)
Theorem T4_gauge_lower_bound N K w gam (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) :
  (forall i, 0 <= w i) -> nneg Z ->
  \sum_i w i * huber lam (nrm (col i X)) <= wgauge_obj w lam gam X D Z.
Proof.
move=> w0 Z0; pose t i := \sum_k nrm (col k D) * Z k i.
have t0 i : 0 <= t i by apply: sumr_ge0 => k _; rewrite mulr_ge0 ?nrm_ge0.
have l1 : \sum_i w i * (lam * t i) <= \sum_k nrm (col k D) * wgauge w lam gam (row k Z)^T.
  have -> : \sum_i w i * (lam * t i) = \sum_k nrm (col k D) * (lam * wsum w (row k Z)^T).
    rewrite [LHS](eq_bigr (fun i => \sum_k nrm (col k D) * (lam * (w i * Z k i)))).
      rewrite exchange_big /=; apply: eq_bigr => k _; rewrite -!mulr_sumr.
      by congr (_ * (_ * _)); apply: eq_bigr => i _; rewrite !mxE.
    move=> i _; rewrite mulrCA /t !mulr_sumr; apply: eq_bigr => k _.
    by rewrite [w i * (_ * _)]mulrCA [LHS]mulrCA.
  apply: ler_sum => k _; apply: cle_wpmul2l; first exact: nrm_ge0.
  exact: wgauge_ge_l1.
rewrite /wgauge_obj; apply: le_trans (cle_add (lexx _) l1).
rewrite -big_split /=; apply: ler_sum => i _; rewrite -mulrDr.
apply: cle_wpmul2l => //.
apply: le_trans (T4_radial_bound (nrm_ge0 _) (t0 i) lam_ge0) _.
rewrite cle_add2r linearB /= mulmx_col -nrm_sq; apply: cle_half.
apply: cle_sqr (soft_ge0 _ _) _; rewrite /soft; apply: cle_max (nrm_ge0 _).
apply: le_trans (nrmB_ge _ _); rewrite cle_add2l cle_opp2.
apply: le_trans (nrm_sum _) _; apply: ler_sum => k _.
by rewrite nrmZ ger0_norm // mulrC.
Qed.

End WideLimit.
