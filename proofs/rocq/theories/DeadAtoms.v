(** * T22. No dead atoms: an atom that no datapoint uses can be given to a datapoint that
    pays more than it would with an atom of its own. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Radial Gauge WideLimit.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section OnePoint.
Variables (R : rcfType) (n K : nat) (lam : R).
Variables (d : 'I_K -> 'cV[R]_n) (x : 'cV[R]_n) (z : 'I_K -> R).

Lemma nrm_unit : 0 < nrm x -> nrm (unit_atom x) = 1.
Proof.
by move=> x0; rewrite /unit_atom nrmZ ger0_norm ?invr_ge0 ?nrm_ge0 // mulVf ?gt_eqF.
Qed.

(** T22: what an active datapoint pays beyond the price of an atom of its own. *)
Theorem T22_excess : lam < nrm x -> 0 <= lam ->
  obj1 lam d x z
  = huber lam (nrm x)
    + (nsq (x - \sum_k z k *: d k - lam *: unit_atom x) / 2%:R
       + lam * \sum_k z k * (1 - dot (unit_atom x) (d k))).
Proof.
move=> act l0; have x0 : 0 < nrm x := le_lt_trans l0 act.
set u := unit_atom x; set y := \sum_k z k *: d k.
have uu : nsq u = 1 by rewrite -nrm_sq nrm_unit // expr1n.
have ux : dot u x = nrm x by rewrite -{1}[x](nrm_unit_atom x) dotZr -/u -/(nsq u) uu mulr1.
have sE : \sum_k z k * (1 - dot u (d k)) = \sum_k z k - dot u y.
  rewrite /y dot_sumr -sumrB; apply: eq_bigr => k _.
  by rewrite dotZr mulrBr mulr1.
rewrite sE nsqB nsqZ uu dotZr [dot (x - y) u]dotC dotDr dotNr ux /obj1 -/y /huber act.
by move: (nsq _) (dot u y) (nrm x) (\sum_k z k) => p q s t; field.
Qed.

(** T22: an active datapoint that pays no more than that uses some atom, and only atoms
    along its own direction. *)
Theorem T22_own_direction :
  0 < lam -> lam < nrm x -> (forall k, nrm (d k) = 1) -> (forall k, 0 <= z k) ->
  obj1 lam d x z <= huber lam (nrm x) ->
  (exists k, 0 < z k) /\ forall k, 0 < z k -> d k = unit_atom x.
Proof.
move=> l0 act d1 z0 cheap; have x0 : 0 < nrm x := lt_trans l0 act.
have u1 := nrm_unit x0; set u := unit_atom x in u1 *.
have term k : 0 <= z k * (1 - dot u (d k)).
  by rewrite mulr_ge0 // subr_ge0; apply: le_trans (dot_le_nrm _ _) _; rewrite u1 d1 mulr1.
have s0 : 0 <= \sum_k z k * (1 - dot u (d k)) by apply: sumr_ge0.
have h0 : 0 <= nsq (x - \sum_k z k *: d k - lam *: u) / 2%:R.
  by rewrite divr_ge0 ?nsq_ge0 ?ler0n.
move: cheap; rewrite T22_excess // ?(ltW l0) // -[leRHS]addr0 cle_add2l -/u => none.
have /eqP : nsq (x - \sum_k z k *: d k - lam *: u) / 2%:R
            + lam * (\sum_k z k * (1 - dot u (d k))) = 0.
  apply/eqP; rewrite eq_le none addr_ge0 //; apply: mulr_ge0 => //; exact: ltW.
rewrite paddr_eq0 //; last by apply: mulr_ge0 => //; exact: ltW.
move=> /andP[/eqP fit].
rewrite mulf_eq0 [lam == 0]gt_eqF //= => /eqP along.
have own k : 0 < z k -> d k = u.
  move=> zk; have /eqP : z k * (1 - dot u (d k)) = 0 by apply: (psumr_eq0P _ along).
  rewrite mulf_eq0 gt_eqF //= subr_eq0 => /eqP cos.
  apply/eqP; rewrite -subr_eq0; apply/eqP/nsq_eq0.
  by rewrite nsqB -!nrm_sq u1 d1 dotC -cos !expr1n; ring.
split=> //; case: (boolP [exists k, 0 < z k]) => [/existsP // | ].
rewrite negb_exists => /forallP off; exfalso.
have zz k : z k = 0 by apply/eqP; have := off k; rewrite lt_def z0 andbT negbK.
move: fit; rewrite big1 => [|k _]; last by rewrite zz scale0r.
rewrite subr0 -[x in x - _](nrm_unit_atom x) -/u -scalerBl nsqZ -nrm_sq u1 expr1n mulr1.
move/eqP; rewrite mulf_eq0 invr_eq0 pnatr_eq0 orbF expf_eq0 /= subr_eq0 => /eqP xl.
by move: act; rewrite xl ltxx.
Qed.

End OnePoint.

Section DeadAtoms.
Variables (R : rcfType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)).

(** Atom [k] replaced by datapoint [p]'s own direction, which [p] then uses alone. *)
Definition revived_atoms (k : 'I_K) (p : 'I_N) : 'M[R]_(n, K) :=
  \matrix_(b, l) (if l == k then unit_atom (col p X) b 0 else D b l).
Definition revived_codes (k : 'I_K) (p : 'I_N) : 'M[R]_(K, N) :=
  \matrix_(l, i) (if i == p then (if l == k then soft lam (nrm (col p X)) else 0) else Z l i).

Lemma col_revived k p l :
  col l (revived_atoms k p) = if l == k then unit_atom (col p X) else col l D.
Proof. by apply/matrixP => b c; rewrite !mxE; case: ifP; rewrite ?ord1 ?mxE. Qed.

(** What one datapoint pays. *)
Definition cost (i : 'I_N) : R := obj1 lam (fun l => col l D) (col i X) (fun l => Z l i).

(** T22: giving an unused atom to a datapoint changes the objective by exactly this. *)
Theorem T22_exact_decrease k p :
  0 <= lam -> (forall i, Z k i = 0) ->
  wl1_obj w lam X (revived_atoms k p) (revived_codes k p)
  = wl1_obj w lam X D Z - w p * (cost p - huber lam (nrm (col p X))).
Proof.
move=> l0 dead; rewrite !wl1_obj_split (bigD1 p) //= [in RHS](bigD1 p) //= -/(cost p).
set own := obj1 _ _ _ _; have -> : own = huber lam (nrm (col p X)).
  rewrite /own -T4_attained // /obj1 !big_ord_recl !big_ord0 !addr0.
  have offk l : l != k -> revived_codes k p l p = 0.
    by move=> lk; rewrite mxE eqxx (negbTE lk).
  have onk : revived_codes k p k p = soft lam (nrm (col p X)) by rewrite mxE !eqxx.
  rewrite (bigD1 k) //= big1 ?addr0; last by move=> l /offk ->; rewrite scale0r.
  rewrite [\sum_(l < K) _](bigD1 k) //= [X in _ + lam * (_ + X)]big1 ?addr0; last first.
    by move=> l /offk.
  by rewrite onk col_revived eqxx.
rewrite (eq_bigr (fun i => w i * obj1 lam (fun l => col l D) (col i X) (fun l => Z l i))).
  by set s := \sum_(_ < _ | _) _; ring.
move=> i ip; congr (_ * _); rewrite /obj1.
have same l : revived_codes k p l i = Z l i by rewrite mxE (negbTE ip).
congr (nsq (_ - _) / _ + _ * _); apply: eq_bigr => l _; rewrite same // col_revived.
by case: eqP => // ->; rewrite dead !scale0r.
Qed.

Lemma revived_feasible k p :
  0 < nrm (col p X) -> (forall l, nrm (col l D) = 1) -> nneg Z ->
  (forall l, nrm (col l (revived_atoms k p)) = 1) /\ nneg (revived_codes k p).
Proof.
move=> x0 D1 Z0; split=> [l | l i].
  by rewrite col_revived; case: ifP => // _; apply: nrm_unit.
by rewrite mxE; case: ifP => // _; case: ifP => // _; apply: soft_ge0.
Qed.

(** T22: with an unused atom, and as many active datapoints of pairwise distinct directions
    as there are atoms, a dictionary of the same width costs strictly less. *)
Theorem T22_improvement (p : 'I_K -> 'I_N) k :
  0 < lam -> (forall i, 0 < w i) -> (forall l, nrm (col l D) = 1) -> nneg Z ->
  (forall m, lam < nrm (col (p m) X)) ->
  (forall l m, unit_atom (col (p l) X) = unit_atom (col (p m) X) -> l = m) ->
  (forall i, Z k i = 0) ->
  exists (D' : 'M[R]_(n, K)) (Z' : 'M[R]_(K, N)),
    [/\ forall l, nrm (col l D') = 1, nneg Z' &
        wl1_obj w lam X D' Z' < wl1_obj w lam X D Z].
Proof.
move=> l0 w0 D1 Z0 act distinct dead.
case: (boolP [exists m, huber lam (nrm (col (p m) X)) < cost (p m)]).
  move=> /existsP[m dear]; have x0 : 0 < nrm (col (p m) X) := lt_trans l0 (act m).
  have [D'1 Z'0] := revived_feasible k x0 D1 Z0.
  exists (revived_atoms k (p m)), (revived_codes k (p m)); split=> //.
  rewrite T22_exact_decrease ?(ltW l0) // -subr_gt0.
  have -> : forall q s : R, q - (q - s) = s by move=> q s; ring.
  by rewrite mulr_gt0 // subr_gt0.
rewrite negb_exists => /forallP cheap; exfalso.
have own m : exists l, (l != k) && (col l D == unit_atom (col (p m) X)).
  have := cheap m; rewrite -leNgt => cm.
  have [[l zl] dir] := T22_own_direction l0 (act m) D1 (fun l => Z0 l (p m)) cm.
  exists l; rewrite (dir l zl) eqxx andbT; apply: contraTneq zl => ->.
  by rewrite dead ltxx.
pose f m := xchoose (own m).
have fk m : f m != k by have /andP[] := xchooseP (own m).
have fd m : col (f m) D = unit_atom (col (p m) X).
  by have /andP[_ /eqP] := xchooseP (own m).
have finj : injective f by move=> l m flm; apply: distinct; rewrite -!fd flm.
have [g _ gf] := injF_bij finj.
by have := fk (g k); rewrite gf eqxx.
Qed.

(** T22: at an optimum every atom is used. *)
Theorem T22_no_dead_atoms (p : 'I_K -> 'I_N) :
  0 < lam -> (forall i, 0 < w i) -> (forall l, nrm (col l D) = 1) -> nneg Z ->
  (forall (D' : 'M[R]_(n, K)) (Z' : 'M[R]_(K, N)),
     (forall l, nrm (col l D') = 1) -> nneg Z' ->
     wl1_obj w lam X D Z <= wl1_obj w lam X D' Z') ->
  (forall m, lam < nrm (col (p m) X)) ->
  (forall l m, unit_atom (col (p l) X) = unit_atom (col (p m) X) -> l = m) ->
  forall k, exists i, 0 < Z k i.
Proof.
move=> l0 w0 D1 Z0 opt act distinct k.
case: (boolP [exists i, 0 < Z k i]) => [/existsP // | ].
rewrite negb_exists => /forallP off; exfalso.
have dead i : Z k i = 0 by apply/eqP; have := off i; rewrite lt_def Z0 andbT negbK.
have [D' [Z' [D'1 Z'0 less]]] := T22_improvement l0 w0 D1 Z0 act distinct dead.
by have := opt D' Z' D'1 Z'0; rewrite leNgt less.
Qed.

End DeadAtoms.
