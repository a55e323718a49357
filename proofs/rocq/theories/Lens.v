(** * T26a. A point outside the ball of radius lam, moved just far enough for the atoms
    that see it, is feasible in the dual of the coding problem. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Radial FixedDictionary.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Lens.
Variables (R : realFieldType) (n : nat) (lam : R).
Implicit Types (x r rho : 'cV[R]_n).

(** The dual value of a code at [rho]. *)
Definition dual_at x rho : R := dot x rho - nsq rho / 2%:R.

(** The convex hull of [r] and the ball of radius [lam]. *)
Definition in_hull r (e : 'cV[R]_n) : Prop := exists (al : R) (y : 'cV[R]_n),
  [/\ 0 <= al, al <= 1, nsq y <= (al * lam) ^+ 2 & e = (1 - al) *: r + y].

Lemma dot_ball (d y : 'cV[R]_n) s : 0 <= s -> nsq d <= 1 -> nsq y <= s ^+ 2 -> dot d y <= s.
Proof. by move=> s0 d1 ys; apply: dot_le_bound. Qed.

Lemma dot_hull (d r e : 'cV[R]_n) t :
  0 <= lam -> nsq d <= 1 -> lam <= t -> dot d r <= t -> in_hull r e -> dot d e <= t.
Proof.
move=> l0 d1 lt rt [al [y [a0 a1 yb ->]]]; rewrite dotDr dotZr.
have yl : dot d y <= al * lam by apply: dot_ball => //; apply: mulr_ge0.
have -> : t = (1 - al) * t + al * t by ring.
apply: cle_add; first by apply: cle_wpmul2l; rewrite ?subr_ge0.
by apply: le_trans yl _; apply: cle_wpmul2l.
Qed.

(** A tangent of the dual value, which is concave. *)
Lemma dual_at_tangent x v rho :
  dual_at x v <= dot x v - dot v rho + nsq rho / 2%:R.
Proof.
rewrite /dual_at -subr_ge0.
have -> : dot x v - dot v rho + nsq rho / 2%:R - (dot x v - nsq v / 2%:R)
        = nsq (v - rho) / 2%:R by rewrite nsqB; field.
by rewrite divr_ge0 ?nsq_ge0 ?ler0n.
Qed.

Variables (K : nat) (D : 'M[R]_(n, K)).

(** The moved point: each atom pulls [r] towards a point [e k] of its choice. *)
Definition moved r (s : 'I_K -> R) (e : 'I_K -> 'cV[R]_n) : 'cV[R]_n :=
  (1 - \sum_k s k) *: r + \sum_k s k *: e k.

Lemma moved_value x r (s : 'I_K -> R) (e : 'I_K -> 'cV[R]_n) (h E : R) :
  (forall k, 0 <= s k) -> \sum_k s k <= 1 ->
  h + E <= dual_at x r -> (forall k, h <= dual_at x (e k)) ->
  h + E * (1 - \sum_k s k) <= dual_at x (moved r s e).
Proof.
move=> s0 s1 hr he; set S := \sum_k s k in s1 *; set rho := moved r s e.
have rhoE : rho = (1 - S) *: r + \sum_k s k *: e k by [].
have valE : dual_at x rho
    = (1 - S) * (dot x r - dot r rho + nsq rho / 2%:R)
      + \sum_k s k * (dot x (e k) - dot (e k) rho + nsq rho / 2%:R).
  have -> : \sum_k s k * (dot x (e k) - dot (e k) rho + nsq rho / 2%:R)
          = dot x (\sum_k s k *: e k) - dot (\sum_k s k *: e k) rho + S * (nsq rho / 2%:R).
    move: (nsq rho / 2%:R) => c.
    rewrite dot_sumr (dotC _ rho) dot_sumr /S mulr_suml -sumrB -big_split /=.
    apply: eq_bigr => k _; rewrite !dotZr (dotC rho).
    by set P := dot _ _; set Q := dot _ _; ring.
  have -> : \sum_k s k *: e k = rho - (1 - S) *: r by rewrite rhoE addrC addKr.
  rewrite /dual_at dotDr dotNr dotZr dotDl dotNl dotZl -/(nsq rho).
  by set P := dot _ _; set Q := nsq _; set W := dot x r; set V := dot r rho; field.
rewrite valE.
have -> : h + E * (1 - S) = (1 - S) * (h + E) + \sum_k s k * h by rewrite -mulr_suml -/S; ring.
apply: cle_add.
  apply: cle_wpmul2l; first by rewrite subr_ge0.
  exact: le_trans hr (dual_at_tangent _ _ _).
apply: ler_sum => k _; apply: cle_wpmul2l => //.
exact: le_trans (he k) (dual_at_tangent _ _ _).
Qed.

Lemma moved_feasible r (s : 'I_K -> R) (e : 'I_K -> 'cV[R]_n) :
  0 <= lam -> (forall k, nsq (col k D) <= 1) ->
  (forall k, 0 <= s k) -> \sum_k s k <= 1 -> (forall k, in_hull r (e k)) ->
  (forall k, lam < dot (col k D) r ->
     dot (col k D) r - lam <= s k * (dot (col k D) r - dot (col k D) (e k))) ->
  forall k, dot (col k D) (moved r s e) <= lam.
Proof.
move=> l0 d1 s0 s1 eh pay j; rewrite /moved dotDr dotZr dot_sumr.
set t := dot (col j D) r; case: (leP t lam) => [tl|lt].
  have -> : lam = (1 - \sum_k s k) * lam + \sum_k s k * lam.
    by rewrite -mulr_suml; move: (\sum_k s k) => S; ring.
  apply: cle_add; first by apply: cle_wpmul2l; rewrite ?subr_ge0.
  apply: ler_sum => k _; rewrite dotZr; apply: cle_wpmul2l => //.
  exact: dot_hull (eh k).
have others : \sum_k dot (col j D) (s k *: e k) <= \sum_k s k * t - s j * (t - dot (col j D) (e j)).
  rewrite (bigD1 j) //= [X in _ <= X - _](bigD1 j) //= dotZr.
  have -> : s j * t + \sum_(i | i != j) s i * t - s j * (t - dot (col j D) (e j))
          = s j * dot (col j D) (e j) + \sum_(i | i != j) s i * t by ring.
  rewrite cle_add2l; apply: ler_sum => k _; rewrite dotZr; apply: cle_wpmul2l => //.
  by apply: dot_hull (eh k) => //; apply: ltW.
apply: (@le_trans _ _ ((1 - \sum_k s k) * t
          + (\sum_k s k * t - s j * (t - dot (col j D) (e j))))).
  by rewrite cle_add2l.
rewrite -mulr_suml.
have -> : (1 - \sum_k s k) * t + ((\sum_k s k) * t - s j * (t - dot (col j D) (e j)))
        = t - s j * (t - dot (col j D) (e j)).
  by move: (\sum_k s k) (s j) => S p; ring.
by rewrite cle_sub addrC -cle_sub; apply: pay.
Qed.

(** T26a, the lens bound: what the atoms together can take from the gain [E] of [r] over
    the level [h], which some point of the ball attains. *)
Theorem T26a_lens_bound x r (s : 'I_K -> R) (e : 'I_K -> 'cV[R]_n) (h E : R)
    (y : 'cV[R]_n) (z : 'cV[R]_K) :
  0 <= lam -> (forall k, nsq (col k D) <= 1) -> nneg z ->
  nsq y <= lam ^+ 2 -> h <= dual_at x y ->
  0 <= E -> h + E <= dual_at x r ->
  (forall k, 0 <= s k) -> (forall k, in_hull r (e k)) -> (forall k, h <= dual_at x (e k)) ->
  (forall k, lam < dot (col k D) r ->
     dot (col k D) r - lam <= s k * (dot (col k D) r - dot (col k D) (e k))) ->
  h + E * Num.max (1 - \sum_k s k) 0 <= nnlasso lam D x z.
Proof.
move=> l0 d1 z0 yb hy E0 hr s0 eh he pay.
case: (leP (1 - \sum_k s k) 0) => s1.
  rewrite mulr0 addr0; apply: le_trans hy _; rewrite /dual_at.
  by apply: T11_polytope_bound => // k; apply: dot_ball.
have s1' : \sum_k s k <= 1 by rewrite -subr_ge0 ltW.
apply: le_trans (moved_value s0 s1' hr he) _; rewrite /dual_at.
by apply: T11_polytope_bound => //; apply: moved_feasible.
Qed.

End Lens.

Section Payment.
Variables (R : rcfType) (n : nat) (lam : R).
Implicit Types (x r d g : 'cV[R]_n) (al del : R).

Lemma dual_at_huber x (e : 'cV[R]_n) : lam <= nrm x -> nrm (x - e) <= nrm x - lam ->
  huber lam (nrm x) <= dual_at x e.
Proof.
move=> xl ex; have valE : dual_at x e = (nrm x ^+ 2 - nrm (x - e) ^+ 2) / 2%:R.
  by rewrite /dual_at !nrm_sq nsqB; field.
have sq := cle_sqr (nrm_ge0 _) ex.
have le : (nrm x ^+ 2 - (nrm x - lam) ^+ 2) / 2%:R <= dual_at x e.
  by rewrite valE; apply: cle_half; rewrite cle_add2l cle_opp2.
apply: le_trans le; rewrite /huber; case: ltP => [_|lx].
  by rewrite -subr_ge0; set p := nrm x; have -> : (p ^+ 2 - (p - lam) ^+ 2) / 2%:R
       - (lam * p - lam ^+ 2 / 2%:R) = 0 by field.
have -> : nrm x = lam by apply: le_anti; rewrite lx xl.
by rewrite subrr expr0n /= subr0.
Qed.

(** T26a, a point of the lens for each unit atom: from a center [(1 - al) r + g] whose
    distance from [x] is at most [|x| - lam + del], where [del] may be negative. *)
Theorem T26a_lens_point x r d g al del :
  0 <= lam -> lam <= nrm x -> nrm d = 1 -> 0 <= al -> al <= 1 ->
  `|del| + nrm g <= al * lam ->
  nrm (x - ((1 - al) *: r + g)) <= nrm x - lam + del ->
  exists e, [/\ in_hull lam r e, huber lam (nrm x) <= dual_at x e &
    dot d e <= dot d ((1 - al) *: r + g) + del].
Proof.
move=> l0 xl d1 a0 a1 room; set p := (1 - al) *: r + g; set tau := nrm x - lam => far.
have tau0 : 0 <= tau by rewrite subr_ge0.
suff [y [ys yx yd]] : exists y, [/\ nrm y <= `|del|, nrm (x - (p + y)) <= tau & dot d y <= del].
  exists (p + y); split; last by rewrite dotDr cle_add2l.
    exists al, (g + y); split=> //; last by rewrite /p addrA.
    rewrite -nrm_sq; apply: cle_sqr (nrm_ge0 _) _; apply: le_trans (nrmD _ _) _.
    by apply: le_trans room; rewrite addrC cle_add2r.
  exact: dual_at_huber.
case: (leP 0 del) => del0.
  have [t0|t0] := eqVneq (tau + del) 0.
    exists 0; rewrite nrm0 dot0r addr0; split=> //; apply: le_trans far _.
    by rewrite t0.
  have tpos : 0 < tau + del by rewrite lt_def t0 addr_ge0.
  pose c := del / (tau + del); have c0 : 0 <= c by rewrite divr_ge0 // ltW.
  have c1 : 1 - c = tau / (tau + del) by rewrite /c; field.
  have yle : nrm (c *: (x - p)) <= del.
    rewrite nrmZ ger0_norm //; apply: (@le_trans _ _ (c * (tau + del))).
      exact: cle_wpmul2l.
    by rewrite /c mulfVK.
  exists (c *: (x - p)); rewrite ger0_norm //; split=> //.
    have -> : x - (p + c *: (x - p)) = (1 - c) *: (x - p).
      by rewrite scalerBl scale1r opprD addrA.
    have c1p : 0 <= 1 - c by rewrite c1 divr_ge0 // ltW.
    rewrite nrmZ ger0_norm //; apply: (@le_trans _ _ ((1 - c) * (tau + del))).
      exact: cle_wpmul2l.
    by rewrite c1 mulfVK.
  by apply: le_trans (dot_le_nrm _ _) _; rewrite d1 mul1r.
exists (del *: d); rewrite nrmZ d1 mulr1; split=> //.
  rewrite opprD addrA; apply: le_trans (nrmD _ _) _.
  rewrite nrmN nrmZ d1 mulr1 ltr0_norm //.
  by rewrite cle_sub.
by rewrite dotZr -/(nsq d) -nrm_sq d1 expr1n mulr1.
Qed.

End Payment.
