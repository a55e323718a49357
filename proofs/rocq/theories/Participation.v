(** * T19. What the atom price says about ordinary dictionaries whose atoms all have at
    least a given participation. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge GaugeDuality.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Participation.
Variables (R : realFieldType) (N : nat) (w : 'I_N -> R).
Implicit Types (z : 'cV[R]_N).

(** Participation at least [p], cleared of its denominator: a row of zeros (a dead
    atom) passes. *)
Definition participates p z : Prop := p * wsq w z <= wsum w z ^+ 2.

(** The participation itself is at most the share of the data the atom fires on. *)
Theorem T19_participation_le_share z :
  (forall i, 0 <= w i) ->
  wsum w z ^+ 2 <= (\sum_(i | z i 0 != 0) w i) * wsq w z.
Proof.
move=> w0; set S := \sum_(i | _) _.
have sumE (f : 'I_N -> R) :
    \sum_i w i * (f i * z i 0) = \sum_(i | z i 0 != 0) w i * (f i * z i 0).
  rewrite [RHS]big_mkcond /=; apply: eq_bigr => i _.
  by case: eqP => //= ->; rewrite !mulr0.
have S0 : 0 <= S by apply: sumr_ge0.
have main t : 0 <= wsq w z - 2%:R * t * wsum w z + t ^+ 2 * S.
  have -> : wsq w z = \sum_(i | z i 0 != 0) w i * (z i 0 * z i 0).
    by rewrite -sumE; apply: eq_bigr => i _; rewrite expr2.
  have -> : wsum w z = \sum_(i | z i 0 != 0) w i * (1 * z i 0).
    by rewrite -(sumE (fun _ => 1)); apply: eq_bigr => i _; rewrite mul1r.
  rewrite /S !mulr_sumr -sumrB -big_split /=; apply: sumr_ge0 => i _.
  have -> : w i * (z i 0 * z i 0) - 2%:R * t * (w i * (1 * z i 0)) + t ^+ 2 * w i
          = w i * (z i 0 - t) ^+ 2 by move: (w i) (z i 0) => p q; ring.
  by rewrite mulr_ge0 ?sqr_ge0.
have [SE|Sn] := eqVneq S 0.
  have w00 i : z i 0 != 0 -> w i = 0.
    by move=> zi; apply: (psumr_eq0P _ SE).
  rewrite SE mul0r /wsum big1 ?expr0n // => i _.
  by case: (eqVneq (z i 0) 0) => [->|/w00 ->]; rewrite ?mulr0 ?mul0r.
have Sgt : 0 < S by rewrite lt_def Sn.
have := main (wsum w z / S).
have -> : wsq w z - 2%:R * (wsum w z / S) * wsum w z + (wsum w z / S) ^+ 2 * S
        = (S * wsq w z - wsum w z ^+ 2) / S by field.
by rewrite pmulr_lge0 ?invr_gt0 // subr_ge0.
Qed.

End Participation.

Section Bound.
Variables (R : rcfType) (n N : nat) (w : 'I_N -> R).
Implicit Types (lam mu gam p : R) (z : 'cV[R]_N).

(** T19: on rows of participation at least p the gauge at (mu, gam) is at most the
    l1 term at lam. *)
Theorem T19_participation_bound lam mu gam p z :
  (forall i, 0 <= w i) -> nneg z -> 0 <= mu -> mu <= lam ->
  gam ^+ 2 = p * (lam ^+ 2 - mu ^+ 2) -> participates w p z ->
  wgauge w mu gam z <= lam * wsum w z.
Proof.
move=> w0 z0 l0 ll gE part; have l1 : 0 <= lam := le_trans l0 ll.
apply: csqr_le; first by rewrite mulr_ge0 ?wsum_ge0.
rewrite wgauge_sqr // /wgauge_sq gE exprMn -subr_ge0.
have -> : lam ^+ 2 * wsum w z ^+ 2
          - (mu ^+ 2 * wsum w z ^+ 2 + p * (lam ^+ 2 - mu ^+ 2) * wsq w z)
        = (lam ^+ 2 - mu ^+ 2) * (wsum w z ^+ 2 - p * wsq w z) by ring.
by rewrite mulr_ge0 // subr_ge0 //; apply: cle_sqr.
Qed.

(** T19 for objectives: a dictionary of unit atoms of participation at least p has an
    l1 objective at lam no lower than its objective at (mu, gam). *)
Theorem T19_objective_bound K lam mu gam p (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) :
  (forall i, 0 <= w i) -> nneg Z -> (forall k, nrm (col k D) = 1) ->
  0 <= mu -> mu <= lam -> gam ^+ 2 = p * (lam ^+ 2 - mu ^+ 2) ->
  (forall k, participates w p (row k Z)^T) ->
  wgauge_obj w mu gam X D Z <= wl1_obj w lam X D Z.
Proof.
move=> w0 Z0 D1 l0 ll gE part; have l1 : 0 <= lam := le_trans l0 ll.
rewrite -(wgauge_obj_l1 X w0 l1 Z0 D1) /wgauge_obj cle_add2l; apply: ler_sum => k _.
have zk : nneg (row k Z)^T by move=> i b; rewrite !mxE.
rewrite D1 !mul1r (wgauge_l1 w0 zk l1).
exact: T19_participation_bound (part k).
Qed.

(** T19 with T2: a dual point for (mu, gam) is a certified bound on every such
    dictionary, of any width. *)
Theorem T19_certified_bound K lam mu gam p kappa t (X Rm : 'M[R]_(n, N))
    (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  (forall i, 0 <= w i) -> nneg Z -> (forall k, nrm (col k D) = 1) ->
  0 <= mu -> mu <= lam -> gam ^+ 2 = p * (lam ^+ 2 - mu ^+ 2) ->
  (forall k, participates w p (row k Z)^T) ->
  polar_le (whiten_vec w) mu gam kappa Rm -> 0 <= t -> t * kappa <= 1 ->
  t * dot (whiten_mx w X) Rm - t ^+ 2 * nsq Rm / 2%:R <= wl1_obj w lam X D Z.
Proof.
move=> w0 Z0 D1 l0 ll gE part pol t0 tk.
apply: le_trans (T19_objective_bound X w0 Z0 D1 l0 ll gE part).
exact: T2_weighted_weak_duality tk Z0.
Qed.

End Bound.
