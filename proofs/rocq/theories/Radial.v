(** * T4. The radial (scalar) bound and its equality case. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Radial.
Variable R : realFieldType.
Implicit Types r t lam : R.

(** Huber function of threshold [lam]. *)
Definition huber lam r : R :=
  if lam < r then lam * r - lam ^+ 2 / 2%:R else r ^+ 2 / 2%:R.

(** Soft threshold. *)
Definition soft lam r : R := Num.max (r - lam) 0.

Lemma soft_ge0 lam r : 0 <= soft lam r.
Proof. exact: cmax_ge0. Qed.

Lemma half_ge0 (a : R) : 0 <= a -> 0 <= a / 2%:R.
Proof. by move=> a0; rewrite divr_ge0 ?ler0n. Qed.

Theorem T4_radial_bound lam r t : 0 <= r -> 0 <= t -> 0 <= lam ->
  huber lam r <= soft t r ^+ 2 / 2%:R + lam * t.
Proof.
move=> r0 t0 l0; rewrite /huber /soft.
case: (ltP lam r) => lr; case: (leP (r - t) 0) => rt; rewrite -subr_ge0.
- have -> : 0 ^+ 2 / 2%:R + lam * t - (lam * r - lam ^+ 2 / 2%:R)
          = lam * (t - r) + lam ^+ 2 / 2%:R by field.
  by rewrite addr_ge0 ?half_ge0 ?sqr_ge0 // mulr_ge0 // subr_ge0 -subr_le0.
- have -> : (r - t) ^+ 2 / 2%:R + lam * t - (lam * r - lam ^+ 2 / 2%:R)
          = (r - t - lam) ^+ 2 / 2%:R by field.
  by rewrite half_ge0 ?sqr_ge0.
- have -> : 0 ^+ 2 / 2%:R + lam * t - r ^+ 2 / 2%:R
          = lam * (t - r) + r * (lam - r) + r ^+ 2 / 2%:R by field.
  rewrite addr_ge0 ?half_ge0 ?sqr_ge0 // addr_ge0 // mulr_ge0 // subr_ge0 //.
  by rewrite -subr_le0.
- have -> : (r - t) ^+ 2 / 2%:R + lam * t - r ^+ 2 / 2%:R
          = t * (lam - r) + t ^+ 2 / 2%:R by field.
  by rewrite addr_ge0 ?half_ge0 ?sqr_ge0 // mulr_ge0 // subr_ge0.
Qed.

Theorem T4_radial_eq lam r : 0 <= r -> 0 <= lam ->
  soft (soft lam r) r ^+ 2 / 2%:R + lam * soft lam r = huber lam r.
Proof.
move=> r0 l0; rewrite /huber /soft.
case: (ltP lam r) => lr.
  have rl : 0 <= r - lam by rewrite subr_ge0 ltW.
  by rewrite (max_l rl) subKr (max_l l0); field.
have rl : r - lam <= 0 by rewrite subr_le0.
by rewrite (max_r rl) subr0 (max_l r0) mulr0 addr0.
Qed.

(** [huber] is the infimal value: it is the minimum over t >= 0. *)
Theorem T4_huber_is_min lam r : 0 <= r -> 0 <= lam ->
  (forall t, 0 <= t -> huber lam r <= soft t r ^+ 2 / 2%:R + lam * t) /\
  (exists2 t, 0 <= t & huber lam r = soft t r ^+ 2 / 2%:R + lam * t).
Proof.
move=> r0 l0; split; first by move=> t t0; apply: T4_radial_bound.
by exists (soft lam r); rewrite ?soft_ge0 // T4_radial_eq.
Qed.

End Radial.
