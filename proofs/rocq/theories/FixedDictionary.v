(** * T10, T11, T13. A fixed dictionary: KKT conditions, the polar polytope, the gap
    of an inexact code, and the residual identity of an optimal atom. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Lasso.
Variables (R : realFieldType) (n K : nat) (lam : R).
Implicit Types (D : 'M[R]_(n, K)) (x : 'cV[R]_n) (z w : 'cV[R]_K).

Definition nnlasso D x z : R := l1_obj lam x D z.

(** Negative gradient g = D^T (x - D z) - lam 1. *)
Definition kkt_g D x z : 'cV[R]_K := D^T *m (x - D *m z) - const_mx lam.

Lemma tot_dot m p (z : 'M[R]_(m, p)) : lam * tot z = dot (const_mx lam) z.
Proof.
rewrite /tot mulr_sumr; apply: eq_bigr => i _; rewrite mulr_sumr.
by apply: eq_bigr => j _; rewrite mxE.
Qed.

(** Exact second-order expansion around z. *)
Lemma nnlasso_expand D x z w :
  nnlasso D x w = nnlasso D x z + nsq (D *m (w - z)) / 2%:R - dot (kkt_g D x z) (w - z).
Proof.
have -> : dot (kkt_g D x z) (w - z)
        = dot (x - D *m z) (D *m (w - z)) - (lam * tot w - lam * tot z).
  have -> : lam * tot w - lam * tot z = dot (const_mx lam) (w - z)
    by rewrite !tot_dot dotDr dotNr.
  by rewrite [LHS]dotDl dotNl dot_mull trmxK.
have -> : nnlasso D x w = nsq ((x - D *m z) - D *m (w - z)) / 2%:R + lam * tot w.
  rewrite /nnlasso /l1_obj; congr (nsq _ / _ + _).
  by rewrite mulmxBr opprB addrA subrK.
by rewrite nsqB /nnlasso /l1_obj; field.
Qed.

(** T11: the gap of an inexact code whose gradient has the right sign. *)
Theorem T11_kkt_gap D x z w :
  (forall k, kkt_g D x z k 0 <= 0) -> nneg w ->
  nnlasso D x z + dot (kkt_g D x z) z <= nnlasso D x w.
Proof.
move=> g0 w0; rewrite (nnlasso_expand D x z w) dotDr dotNr -addrA cle_add2l.
rewrite opprB addrA -subr_ge0.
have -> : nsq (D *m (w - z)) / 2%:R + dot (kkt_g D x z) z - dot (kkt_g D x z) w
            - dot (kkt_g D x z) z
        = nsq (D *m (w - z)) / 2%:R - dot (kkt_g D x z) w by ring.
rewrite addr_ge0 ?divr_ge0 ?nsq_ge0 ?ler0n // -dotNl.
apply: sumr_ge0 => k _; apply: sumr_ge0 => j _; rewrite ord1.
by rewrite [X in X * _]mxE mulr_ge0 // -oppr0 cle_opp2.
Qed.

(** T10: the KKT conditions are sufficient. *)
Theorem T10_kkt_sufficient D x z :
  nneg z ->
  (forall k, kkt_g D x z k 0 <= 0) ->
  (forall k, z k 0 * kkt_g D x z k 0 = 0) ->
  nneg z /\ forall w, nneg w -> nnlasso D x z <= nnlasso D x w.
Proof.
move=> z0 g0 cs; split=> // w w0; apply: le_trans (T11_kkt_gap g0 w0).
suff -> : dot (kkt_g D x z) z = 0 by rewrite addr0.
rewrite /dot big1 // => k _; rewrite big1 // => j _.
by rewrite ord1 mulrC cs.
Qed.

(** T11: any point of the polar polytope {rho : D^T rho <= lam} bounds the lasso. *)
Theorem T11_polytope_bound D x (rho : 'cV[R]_n) w :
  (forall k, dot (col k D) rho <= lam) -> nneg w ->
  dot x rho - nsq rho / 2%:R <= nnlasso D x w.
Proof.
move=> P w0; rewrite /nnlasso /l1_obj.
have y1 := young (x - D *m w) rho; rewrite dotDl dotNl in y1.
have y2 : dot (D *m w) rho <= lam * tot w.
  rewrite dot_mull tot_dot dotC; apply: ler_sum => k _; apply: ler_sum => j _.
  rewrite ord1 [X in _ <= X * _]mxE; apply: cle_wpmul2r => //.
  apply: le_trans (P k); rewrite le_eqVlt mxE; apply/orP; left; apply/eqP.
  by apply: eq_bigr => i _; rewrite big_ord_recl big_ord0 addr0 !mxE.
have -> : dot x rho - nsq rho / 2%:R
        = dot x rho - dot (D *m w) rho - nsq rho / 2%:R + dot (D *m w) rho by ring.
by apply: cle_add => //; rewrite cle_sub.
Qed.

(** T11, the scaled residual: shrinking the residual into the polytope gives a bound. *)
Theorem T11_scaled_residual D x z w (t : R) :
  (forall k, t * dot (col k D) (x - D *m z) <= lam) -> nneg w ->
  t * dot x (x - D *m z) - t ^+ 2 * nsq (x - D *m z) / 2%:R <= nnlasso D x w.
Proof.
move=> P w0; rewrite -dotZr -nsqZ; apply: T11_polytope_bound => // k.
by rewrite dotZr.
Qed.

(** Complementary slackness pairs the residual tightly with the reconstruction. *)
Lemma slack_pair D x z :
  (forall k, z k 0 * kkt_g D x z k 0 = 0) -> dot (x - D *m z) (D *m z) = lam * tot z.
Proof.
move=> cs; apply/eqP; rewrite -subr_eq0 tot_dot dotC dot_mull (dotC (const_mx _)).
rewrite -dotNr -dotDr /dot big1 // => k _; rewrite big1 // => j _.
by rewrite ord1 -[RHS](cs k).
Qed.

(** T10, the energy identity. *)
Theorem T10_energy_identity D x z :
  (forall k, z k 0 * kkt_g D x z k 0 = 0) ->
  nsq x = nsq (D *m z) + 2%:R * (lam * tot z) + nsq (x - D *m z).
Proof.
move=> cs; rewrite -(slack_pair cs).
have {1}-> : x = (x - D *m z) + D *m z by rewrite subrK.
by rewrite nsqD; ring.
Qed.

(** T10: a code that fires leaves a residual at least as long as the penalty. *)
Theorem T10_residual_length D x z k :
  (forall k, z k 0 * kkt_g D x z k 0 = 0) -> z k 0 != 0 -> nsq (col k D) <= 1 ->
  lam ^+ 2 <= nsq (x - D *m z).
Proof.
move=> cs zk d1; have /eqP := cs k; rewrite mulf_eq0 (negbTE zk) /= => /eqP g0.
have dr : dot (col k D) (x - D *m z) = lam.
  apply/eqP; rewrite -subr_eq0 -g0 /kkt_g [X in _ == X]mxE [X in _ == _ + X]mxE.
  rewrite [X in _ == _ - X]mxE; apply/eqP; congr (_ - _).
  rewrite /dot [RHS]mxE; apply: eq_bigr => i _.
  by rewrite big_ord_recl big_ord0 addr0 [col k D i _]mxE [D^T k i]mxE.
rewrite -dr; apply: le_trans (cauchy_schwarz _ _) _.
by rewrite -[leRHS]mul1r; apply: cle_wpmul2r; first exact: nsq_ge0.
Qed.

(** T10: under the KKT conditions the residual is the projection of the datapoint
    on the polar polytope, and the optimal value is 1/2|x|^2 - 1/2 dist^2. *)
Theorem T10_residual_is_projection D x z :
  nneg z -> (forall k, kkt_g D x z k 0 <= 0) ->
  (forall k, z k 0 * kkt_g D x z k 0 = 0) ->
  [/\ forall k, dot (col k D) (x - D *m z) <= lam,
      nnlasso D x z = nsq x / 2%:R - nsq (x - (x - D *m z)) / 2%:R &
      forall rho : 'cV[R]_n, (forall k, dot (col k D) rho <= lam) ->
        nsq (x - (x - D *m z)) <= nsq (x - rho)].
Proof.
move=> z0 g0 cs.
have value : nnlasso D x z = nsq x / 2%:R - nsq (x - (x - D *m z)) / 2%:R.
  rewrite subKr (T10_energy_identity cs) /nnlasso /l1_obj.
  by set P := lam * _; field.
split=> // [k | rho P].
  have := g0 k; rewrite /kkt_g [X in X <= _]mxE [X in _ + X <= _]mxE [X in _ - X <= _]mxE subr_le0.
  apply: le_trans; rewrite le_eqVlt; apply/orP; left; apply/eqP.
  rewrite /dot [RHS]mxE; apply: eq_bigr => i _.
  by rewrite big_ord_recl big_ord0 addr0 [col k D i _]mxE [D^T k i]mxE.
have := T11_polytope_bound x P z0; rewrite value -subr_ge0.
have -> : nsq x / 2%:R - nsq (x - (x - D *m z)) / 2%:R - (dot x rho - nsq rho / 2%:R)
        = (nsq (x - rho) - nsq (x - (x - D *m z))) / 2%:R by rewrite (nsqB x rho); field.
by rewrite pmulr_lge0 ?invr_gt0 ?ltr0n // subr_ge0.
Qed.

End Lasso.

Section Residual.
Variables (R : realFieldType) (n N K : nat) (lam : R) (w : 'I_N -> R).
Variables (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)).

Definition res : 'M[R]_(n, N) := X - D *m Z.

(** T13: if the codes satisfy complementary slackness, the atom is a unit vector and
    its weighted mean residual points along it, that residual has length lam s_k. *)
Theorem T13_residual_identity (mu : R) (k : 'I_K) :
  (forall i, Z k i * kkt_g lam D (col i X) (col i Z) k 0 = 0) ->
  nsq (col k D) = 1 ->
  \sum_i (w i * Z k i) *: col i res = mu *: col k D ->
  mu = lam * \sum_i w i * Z k i.
Proof.
move=> cs d1 st.
have <- : dot (col k D) (mu *: col k D) = mu by rewrite dotZr -/(nsq _) d1 mulr1.
rewrite -st dot_sumr mulr_sumr; apply: eq_bigr => i _.
rewrite dotZr -mulrA [RHS]mulrCA; congr (_ * _).
apply/eqP; rewrite -subr_eq0 (mulrC lam) -mulrBr -(cs i); apply/eqP.
congr (_ * _); rewrite /kkt_g [RHS]mxE [X in _ = _ + X]mxE [X in _ = _ - X]mxE.
congr (_ - _); rewrite /dot mxE; apply: eq_bigr => b _.
rewrite big_ord_recl big_ord0 addr0 [col k D b _]mxE [D^T k b]mxE; congr (_ * _).
by rewrite /res linearB /= col_mulmx.
Qed.

End Residual.
