(** * T26. One copositive matrix bounds what any atom can take from all points together,
    hence the objective of every dictionary of K atoms. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Radial FixedDictionary CopositiveDuality WideLimit Lens.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Line.
Variable R : realFieldType.
Implicit Types lam al del u l t E : R.

(** The payment of one point, concave in t, lies below a line from a threshold [l] that
    may be below [lam]; [p] and [q] are the roots of [al lam - del] and [al (lam - l)]. *)
Theorem T26_line lam al del u l p q t E :
  0 < al -> p ^+ 2 = al * lam - del -> q ^+ 2 = al * (lam - l) -> 0 <= u ->
  E <= u * (p + q) ^+ 2 -> lam <= t ->
  E * (t - lam) <= u * (t - l) * (al * t - del).
Proof.
move=> a0 pE qE u0 uE lt; have s0 : 0 <= t - lam by rewrite subr_ge0.
apply: (@le_trans _ _ (u * (p + q) ^+ 2 * (t - lam))); first exact: cle_wpmul2r.
rewrite -subr_ge0; set L := (X in 0 <= X).
have -> : L = u * ((t - l) * (al * t - del) - (p + q) ^+ 2 * (t - lam)) by rewrite /L; ring.
apply: mulr_ge0 => //; rewrite -(pmulr_rge0 _ a0); set M := (X in 0 <= X).
have -> : M = (al * (t - lam) - p * q) ^+ 2; last exact: sqr_ge0.
have delE : del = al * lam - p ^+ 2 by rewrite pE; ring.
have lE : al * l = al * lam - q ^+ 2 by rewrite qE; ring.
rewrite /M delE.
have -> : al * ((t - l) * (al * t - (al * lam - p ^+ 2)) - (p + q) ^+ 2 * (t - lam))
  = (al * t - al * l) * (al * t - (al * lam - p ^+ 2)) - al * ((p + q) ^+ 2 * (t - lam)) by ring.
by rewrite lE; ring.
Qed.

End Line.

Section Copositive.
Variables (R : realFieldType) (n N : nat).
Implicit Types (w u l : 'I_N -> R) (Rm : 'M[R]_(n, N)).

(** The matrix whose copositivity bounds the payment: datapoint i has the threshold
    [l i], the slope [u i] and the weight [w i]. *)
Definition width_mx w u l (eta : R) Rm : 'M[R]_N :=
  (\matrix_(i, j) (l i * l j + (if i == j then eta * l i / (w i * u i) else 0))) - Rm^T *m Rm.

Lemma qf_width w u l eta Rm (v : 'cV[R]_N) :
  qf (width_mx w u l eta Rm) v
  = (\sum_i l i * v i 0) ^+ 2 + eta * (\sum_i l i / (w i * u i) * v i 0 ^+ 2) - nsq (Rm *m v).
Proof.
rewrite /width_mx qfD qfN qf_gram; congr (_ - _); rewrite qfE.
have -> : (\sum_i l i * v i 0) ^+ 2 = \sum_i \sum_j v i 0 * (l i * l j) * v j 0.
  rewrite expr2 mulr_suml; apply: eq_bigr => i _; rewrite mulr_sumr.
  by apply: eq_bigr => j _; ring.
rewrite mulr_sumr -big_split /=; apply: eq_bigr => i _.
have -> : eta * (l i / (w i * u i) * v i 0 ^+ 2)
        = \sum_j (if j == i then v i 0 * (eta * l i / (w i * u i)) * v j 0 else 0).
  rewrite -big_mkcond big_pred1_eq /=.
  by move: (w i * u i)^-1 (l i) (v i 0) => a b c; ring.
rewrite -big_split /=; apply: eq_bigr => j _; rewrite mxE eq_sym.
by case: (j == i); rewrite ?addr0 // mulrDr mulrDl.
Qed.

(** T26, the payment of one atom. *)
Theorem T26_payment w u l eta Rm (d : 'cV[R]_n) :
  (forall i, 0 < w i) -> (forall i, 0 < u i) -> (forall i, 0 <= l i) -> 0 <= eta ->
  copositive (width_mx w u l eta Rm) -> nsq d <= 1 ->
  \sum_i w i * (u i * Num.max (dot d (col i Rm) - l i) 0) <= eta / 2%:R.
Proof.
move=> w0 u0 l0 e0 cop d1.
pose y : 'cV[R]_N := \col_i (if l i < dot d (col i Rm) then w i * u i else 0).
have y0 : nneg y.
  by move=> i j; rewrite mxE; case: ifP => // _; rewrite mulr_ge0 // ltW.
pose S := \sum_i l i * y i 0.
have S0 : 0 <= S by apply: sumr_ge0 => i _; rewrite mulr_ge0.
have payE : \sum_i w i * (u i * Num.max (dot d (col i Rm) - l i) 0) = dot d (Rm *m y) - S.
  have -> : dot d (Rm *m y) = \sum_i y i 0 * dot d (col i Rm).
    have -> : Rm *m y = \sum_i y i 0 *: col i Rm.
      apply/matrixP => a b; rewrite ord1 !mxE summxE; apply: eq_bigr => i _.
      by rewrite !mxE mulrC.
    by rewrite dot_sumr; apply: eq_bigr => i _; rewrite dotZr.
  rewrite /S -sumrB; apply: eq_bigr => i _; rewrite !mxE.
  case: (ltP (l i) (dot d (col i Rm))) => lt.
    by rewrite max_l ?subr_ge0 ?ltW //; move: (dot _ _) (l i) => a b; ring.
  by rewrite max_r ?subr_le0 // !mulr0 mul0r subrr.
rewrite payE cle_sub; apply: csqr_le; first by rewrite addr_ge0 // divr_ge0 ?ler0n.
apply: le_trans (cauchy_schwarz _ _) _.
have le1 : nsq d * nsq (Rm *m y) <= nsq (Rm *m y).
  by rewrite -[leRHS]mul1r; apply: cle_wpmul2r; rewrite ?nsq_ge0.
apply: le_trans le1 _.
have := cop y y0; rewrite qf_width -/S.
have -> : \sum_i l i / (w i * u i) * y i 0 ^+ 2 = S.
  apply: eq_bigr => i _; rewrite mxE; case: ifP => _; last by rewrite expr0n /= !mulr0.
  have wn : w i != 0 by rewrite gt_eqF. have un : u i != 0 by rewrite gt_eqF.
  by move: (l i) (w i) (u i) wn un => a b c bn cn; field; rewrite bn cn.
rewrite subr_ge0 => le2; apply: le_trans le2 _; rewrite -subr_ge0.
have -> : (eta / 2%:R + S) ^+ 2 - (S ^+ 2 + eta * S) = (eta / 2%:R) ^+ 2 by field.
exact: sqr_ge0.
Qed.

End Copositive.

Section Width.
Variables (R : rcfType) (n N K : nat) (lam : R).

(** T26: every dictionary of K unit atoms. The gains [E], the centers [al], [del], and
    the lines [u], [l] are whatever satisfies the inequalities. *)
Theorem T26_width_bound (w u l al del E : 'I_N -> R) (eta : R) (X Rm : 'M[R]_(n, N))
    (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) :
  0 <= lam -> (forall i, 0 < w i) -> (forall i, 0 < u i) -> (forall i, 0 <= l i) ->
  (forall i, 0 <= E i) -> 0 <= eta ->
  (forall k, nrm (col k D) = 1) -> nneg Z ->
  (forall i, lam <= nrm (col i X)) ->
  (forall i, huber lam (nrm (col i X)) + E i <= dual_at (col i X) (col i Rm)) ->
  (forall i, 0 <= al i) -> (forall i, al i <= 1) ->
  (forall i, `|del i| <= al i * lam) -> (forall i, del i < al i * lam) ->
  (forall i, nrm (col i X - (1 - al i) *: col i Rm) <= nrm (col i X) - lam + del i) ->
  (forall i t, lam <= t -> E i * (t - lam) <= u i * (t - l i) * (al i * t - del i)) ->
  copositive (width_mx w u l eta Rm) ->
  \sum_i w i * (huber lam (nrm (col i X)) + E i) - K%:R * (eta / 2%:R) <= wl1_obj w lam X D Z.
Proof.
move=> l0 w0 u0 th0 E0 e0 D1 Z0 xl gain a0 a1 room pos far line cop.
have D1' k : nsq (col k D) <= 1 by rewrite -nrm_sq D1 expr1n.
pose t i k := dot (col k D) (col i Rm).
pose s i k := Num.max (t i k - lam) 0 / (al i * t i k - del i).
have den i k : lam < t i k -> 0 < al i * t i k - del i.
  move=> lt; rewrite subr_gt0; apply: lt_le_trans (pos i) _.
  by apply: cle_wpmul2l => //; apply: ltW.
have s0 i k : 0 <= s i k.
  rewrite /s; case: (ltP lam (t i k)) => lt.
    by rewrite divr_ge0 ?cmax_ge0 ?ltW ?den.
  by rewrite max_r ?subr_le0 // mul0r.
have point i k : exists e, [/\ in_hull lam (col i Rm) e,
    huber lam (nrm (col i X)) <= dual_at (col i X) e &
    dot (col k D) e <= (1 - al i) * t i k + del i].
  have [||e [eh ev ed]] := @T26a_lens_point _ _ _ (col i X) (col i Rm) (col k D) 0 (al i) (del i)
      l0 (xl i) (D1 k) (a0 i) (a1 i).
  - by rewrite nrm0 addr0.
  - by rewrite addr0.
  by exists e; split=> //; move: ed; rewrite addr0 dotZr.
have pays i k : E i * s i k <= u i * Num.max (t i k - l i) 0.
  rewrite /s; case: (ltP lam (t i k)) => lt; last first.
    by rewrite [Num.max (_ - lam) _]max_r ?subr_le0 // mul0r mulr0 mulr_ge0 ?cmax_ge0 ?ltW.
  have dn := den i k lt; rewrite max_l; last by rewrite subr_ge0 ltW.
  rewrite -subr_ge0 -(pmulr_rge0 _ dn).
  have -> : (al i * t i k - del i)
            * (u i * Num.max (t i k - l i) 0 - E i * ((t i k - lam) / (al i * t i k - del i)))
      = u i * Num.max (t i k - l i) 0 * (al i * t i k - del i) - E i * (t i k - lam).
    move: dn; move: (Num.max _ _) => b; move: (t i k) => c dn.
    by have dn' : al i * c - del i != 0 by [rewrite gt_eqF]; field.
  rewrite subr_ge0; apply: le_trans (line i _ (ltW lt)) _.
  apply: cle_wpmul2r; first by rewrite ltW ?den.
  apply: cle_wpmul2l; first by rewrite ltW.
  by case: (leP (t i k - l i) 0).
have one i : huber lam (nrm (col i X)) + E i * (1 - \sum_k s i k)
    <= nnlasso lam D (col i X) (col i Z).
  have zi : nneg (col i Z) by move=> a b; rewrite mxE.
  have [f fP] : exists f : 'I_K -> 'cV[R]_n, forall k, [/\ in_hull lam (col i Rm) (f k),
      huber lam (nrm (col i X)) <= dual_at (col i X) (f k) &
      dot (col k D) (f k) <= (1 - al i) * t i k + del i].
    exact: (fin_all_exists (point i)).
  pose yb := lam *: unit_atom (col i X).
  have ybl : nsq yb <= lam ^+ 2.
    rewrite nsqZ -[leRHS]mulr1; apply: cle_wpmul2l; first exact: sqr_ge0.
    by rewrite -nrm_sq -(expr1n _ 2); apply: cle_sqr (nrm_ge0 _) (unit_atom_le1 _).
  have ybv : huber lam (nrm (col i X)) <= dual_at (col i X) yb.
    apply: dual_at_huber => //; rewrite /yb -{1}(nrm_unit_atom (col i X)) -scalerBl nrmZ.
    rewrite ger0_norm ?subr_ge0 // -[leRHS]mulr1; apply: cle_wpmul2l; rewrite ?subr_ge0 //.
    exact: unit_atom_le1.
  have := @T26a_lens_bound _ _ _ _ D (col i X) (col i Rm) (s i) f
    (huber lam (nrm (col i X))) (E i) yb (col i Z) l0 D1' zi ybl ybv (E0 i) (gain i) (s0 i).
  have h1 k : in_hull lam (col i Rm) (f k) by have [] := fP k.
  have h2 k : huber lam (nrm (col i X)) <= dual_at (col i X) (f k) by have [] := fP k.
  have h3 k : lam < dot (col k D) (col i Rm) ->
      dot (col k D) (col i Rm) - lam
      <= s i k * (dot (col k D) (col i Rm) - dot (col k D) (f k)).
    move=> lt; rewrite -/(t i k); have [_ _ fd] := fP k.
    have sE : s i k * (al i * t i k - del i) = t i k - lam.
      by rewrite /s max_l ?subr_ge0 ?ltW // mulfVK // gt_eqF ?den.
    rewrite -sE; apply: cle_wpmul2l => //; rewrite -subr_ge0.
    have -> : t i k - dot (col k D) (f k) - (al i * t i k - del i)
            = (1 - al i) * t i k + del i - dot (col k D) (f k) by ring.
    by rewrite subr_ge0.
  move=> /(_ h1 h2 h3); apply: le_trans; rewrite cle_add2l; apply: cle_wpmul2l => //.
  by case: (leP (1 - \sum_k s i k) 0).
apply: (@le_trans _ _ (\sum_i w i * (huber lam (nrm (col i X)) + E i * (1 - \sum_k s i k)))).
  have -> : \sum_i w i * (huber lam (nrm (col i X)) + E i * (1 - \sum_k s i k))
     = \sum_i w i * (huber lam (nrm (col i X)) + E i) - \sum_k \sum_i w i * (E i * s i k).
    rewrite exchange_big /= -sumrB; apply: eq_bigr => i _; rewrite -!mulr_sumr.
    by move: (\sum_k s i k) (huber _ _) => a b; ring.
  rewrite cle_add2l cle_opp2.
  have -> : K%:R * (eta / 2%:R) = \sum_(k < K) eta / 2%:R.
    by rewrite sumr_const card_ord mulr_natl.
  apply: ler_sum => k _; apply: le_trans (T26_payment w0 u0 th0 e0 cop (D1' k)).
  by apply: ler_sum => i _; apply: cle_wpmul2l; [exact: ltW | exact: pays].
rewrite /wl1_obj; apply: ler_sum => i _; apply: cle_wpmul2l; first by rewrite ltW.
apply: le_trans (one i) _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
rewrite /nnlasso /l1_obj; congr (nsq _ / _ + _ * _).
  by rewrite linearB /= col_mulmx.
by rewrite /tot; apply: eq_bigr => k _; rewrite big_ord_recl big_ord0 addr0 mxE.
Qed.

End Width.
