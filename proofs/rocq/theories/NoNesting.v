(** * T14. No nesting (no atom price): an atom that fires only where another one fires
    can be merged with it, and the objective falls by an exact amount. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section NoNesting.
Variables (R : rcfType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)).

Section Exchange.
Variables (l j : 'I_K) (eps : R).

(** The merged direction d_l + eps d_j, and the unit vector along it (d_l itself when
    the sum vanishes: its code is then 0). *)
Definition merged : 'cV[R]_n := col l D + eps *: col j D.
Definition merged_atom : 'cV[R]_n :=
  if nrm merged == 0 then col l D else (nrm merged)^-1 *: merged.

Definition exchange_atoms : 'M[R]_(n, K) :=
  \matrix_(b, k) (if k == l then merged_atom b 0 else D b k).
Definition exchange_codes : 'M[R]_(K, N) :=
  \matrix_(k, i) (if k == l then nrm merged * Z l i
                  else if k == j then Z j i - eps * Z l i else Z k i).

Lemma merged_atomE : nrm merged *: merged_atom = merged.
Proof.
rewrite /merged_atom; case: eqP => [m0|/eqP m0].
  by rewrite m0 scale0r (nrm_eq0 m0).
by rewrite scalerA divff // scale1r.
Qed.

(** T14: the reconstructions do not change. *)
Theorem T14_same_reconstruction :
  l != j -> exchange_atoms *m exchange_codes = D *m Z.
Proof.
move=> lj; apply/matrixP => b i; rewrite !mxE.
have jl : j != l by rewrite eq_sym.
rewrite (bigD1 l) //= (bigD1 j) //= [in RHS](bigD1 l) //= [in RHS](bigD1 j) //= !addrA.
congr (_ + _).
  rewrite !mxE !eqxx (negbTE jl) mulrA [merged_atom b 0 * _]mulrC.
  have -> : nrm merged * merged_atom b 0 = D b l + eps * D b j.
    have := congr1 (fun M : 'cV[R]_n => M b 0) merged_atomE.
    by rewrite [X in X = _ -> _]mxE => ->; rewrite !mxE.
  by rewrite mulrDl mulrBr -addrA; congr (_ + _); rewrite [D b j * (_ * _)]mulrCA -mulrA addrC subrK.
apply: eq_bigr => k /andP[kl kj].
by rewrite !mxE (negbTE kl) (negbTE kj).
Qed.

Lemma exchange_colsum i : l != j ->
  \sum_k exchange_codes k i = \sum_k Z k i - Z l i * (1 + eps - nrm merged).
Proof.
move=> lj; have jl : j != l by rewrite eq_sym.
rewrite (bigD1 l) //= (bigD1 j) //= [in RHS](bigD1 l) //= [in RHS](bigD1 j) //=.
rewrite (eq_bigr (fun k => Z k i)); last first.
  by move=> k /andP[kl kj]; rewrite mxE (negbTE kl) (negbTE kj).
rewrite !mxE !eqxx (negbTE jl); set s := \sum_(_ < _ | _) _; set m := nrm merged.
by move: (Z l i) (Z j i) s m => p q s m; ring.
Qed.

(** T14: the objective falls by exactly lam s_l (1 + eps - |d_l + eps d_j|). *)
Theorem T14_exact_decrease : l != j ->
  wl1_obj w lam X exchange_atoms exchange_codes
  = wl1_obj w lam X D Z - lam * (\sum_i w i * Z l i) * (1 + eps - nrm merged).
Proof.
move=> lj; rewrite /wl1_obj T14_same_reconstruction //.
rewrite mulr_sumr mulr_suml -sumrB; apply: eq_bigr => i _.
rewrite exchange_colsum //; set s := \sum_k _; set q := nsq _; set m := nrm _.
by move: (w i) (Z l i) s q m => p z s q m; ring.
Qed.

(** T14: for distinct unit atoms the decrease is positive. *)
Theorem T14_decrease_pos :
  0 < lam -> 0 < eps -> nrm (col l D) = 1 -> nrm (col j D) = 1 ->
  col l D != col j D -> 0 < \sum_i w i * Z l i ->
  0 < lam * (\sum_i w i * Z l i) * (1 + eps - nrm merged).
Proof.
move=> l0 e0 dl dj dlj s0; rewrite !mulr_gt0 // subr_gt0.
have e1 : 0 < 1 + eps by rewrite addr_gt0 ?ltr01.
have nl : nsq (col l D) = 1 by rewrite -nrm_sq dl expr1n.
have nj : nsq (col j D) = 1 by rewrite -nrm_sq dj expr1n.
have gap : 0 < nsq (col l D - col j D).
  rewrite lt_def nsq_ge0 andbT; apply: contra dlj => /eqP /nsq_eq0 /eqP.
  by rewrite subr_eq0.
rewrite ltNge; apply/negP => /(cle_sqr (ltW e1)).
rewrite nrm_sq /merged nsqD nsqZ dotZr nl nj leNgt => /negP[].
rewrite -subr_gt0.
have -> : (1 + eps) ^+ 2 - (1 + 2%:R * (eps * dot (col l D) (col j D)) + eps ^+ 2 * 1)
        = eps * nsq (col l D - col j D) by rewrite nsqB nl nj; ring.
by rewrite mulr_gt0.
Qed.

(** T14: within the slack the exchange is feasible. *)
Theorem T14_feasible :
  nneg Z -> (forall i, eps * Z l i <= Z j i) ->
  nneg exchange_codes /\
  ((forall k, nrm (col k D) = 1) -> forall k, nrm (col k exchange_atoms) = 1).
Proof.
move=> Z0 slack; split=> [k i | D1 k].
  rewrite mxE; case: ifP => _; first by rewrite mulr_ge0 ?nrm_ge0.
  by case: ifP => _; rewrite ?subr_ge0.
have [->|kl] := eqVneq k l.
  have -> : col l exchange_atoms = merged_atom.
    by apply/matrixP => i b; rewrite !mxE eqxx ord1.
  rewrite /merged_atom; case: eqP => [//|/eqP m0].
  by rewrite nrmZ ger0_norm ?invr_ge0 ?nrm_ge0 // mulVf.
suff -> : col k exchange_atoms = col k D by [].
by apply/matrixP => i b; rewrite !mxE (negbTE kl).
Qed.

End Exchange.

(** Finitely many positive bounds leave room for a positive number below them all. *)
Lemma common_slack (p q : 'I_N -> R) :
  (forall i, 0 <= p i) -> (forall i, 0 <= q i) -> (forall i, 0 < p i -> 0 < q i) ->
  exists2 e, 0 < e & forall i, e * p i <= q i.
Proof.
move=> p0 q0 pq; pose S := 1 + \sum_i p i / q i.
have r0 i : 0 <= p i / q i by rewrite divr_ge0.
have S1 : 1 <= S by rewrite /S cle_addl sumr_ge0.
have S0 : 0 < S := lt_le_trans ltr01 S1.
exists S^-1; first by rewrite invr_gt0.
move=> i; have [pi0|pi0] := eqVneq (p i) 0; first by rewrite pi0 mulr0.
have qi : 0 < q i by apply: pq; rewrite lt_def pi0 p0.
have -> : q i = S^-1 * (S * q i) by rewrite mulKf // gt_eqF.
apply: cle_wpmul2l; first by rewrite invr_ge0 ltW.
have -> : p i = p i / q i * q i by rewrite divfK // gt_eqF.
apply: cle_wpmul2r; first exact: ltW.
rewrite /S (bigD1 i) //= addrCA cle_addl addr_ge0 ?ler01 //.
by apply: sumr_ge0.
Qed.

(** T14: at an optimum of the width-K problem every atom in use fires somewhere
    without each other atom. *)
Theorem T14_no_nesting l j :
  0 < lam -> (forall i, 0 < w i) -> (forall k, nrm (col k D) = 1) -> nneg Z ->
  (forall (D' : 'M[R]_(n, K)) (Z' : 'M[R]_(K, N)),
     (forall k, nrm (col k D') = 1) -> nneg Z' ->
     wl1_obj w lam X D Z <= wl1_obj w lam X D' Z') ->
  col l D != col j D -> (exists i, 0 < Z l i) ->
  exists2 i, 0 < Z l i & Z j i = 0.
Proof.
move=> l0 w0 D1 Z0 opt dlj [i0 zi0].
case: (boolP [exists i, (0 < Z l i) && (Z j i == 0)]).
  by move=> /existsP[i /andP[zl /eqP zj]]; exists i.
rewrite negb_exists => /forallP nest; exfalso.
have pq i : 0 < Z l i -> 0 < Z j i.
  move=> zl; have := nest i; rewrite zl /= => zj.
  by rewrite lt_def zj Z0.
have [e e0 slack] := common_slack (fun i => Z0 l i) (fun i => Z0 j i) pq.
have lj : l != j by apply: contra dlj => /eqP ->.
have s0 : 0 < \sum_i w i * Z l i.
  rewrite (bigD1 i0) //=; apply: (@lt_le_trans _ _ (w i0 * Z l i0)).
    by rewrite mulr_gt0.
  by rewrite cle_addl sumr_ge0 // => i _; rewrite mulr_ge0 // ltW.
have [Z'0 D'1] := T14_feasible Z0 slack.
have := opt _ _ (D'1 D1) Z'0; rewrite T14_exact_decrease // -subr_ge0.
have -> : forall p q : R, p - q - p = - q by move=> p q; ring.
rewrite oppr_ge0 leNgt => /negP[].
exact: T14_decrease_pos.
Qed.

End NoNesting.
