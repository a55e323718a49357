(** * T21. The residual law: how much of the residuals the codes and the activations predict
    linearly, at a point that is stationary in the dictionary. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat Prelude Gauge CopositiveDuality GaugeDuality Hull.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Moments.
Variables (R : realFieldType) (N : nat) (w : 'I_N -> R).

(** The weighted second moment sum_i w_i a_i b_i^T of two sets of columns, and the weighted
    energy sum_i w_i |a_i|^2. *)
Definition moment p q (A : 'M[R]_(p, N)) (B : 'M[R]_(q, N)) : 'M[R]_(p, q) :=
  \sum_i w i *: (col i A *m (col i B)^T).
Definition energy p (A : 'M[R]_(p, N)) : R := \sum_i w i * nsq (col i A).

Lemma momentE p q (A : 'M[R]_(p, N)) (B : 'M[R]_(q, N)) :
  moment A B = A *m diag_mx (\row_i w i) *m B^T.
Proof.
apply/matrixP => b c; rewrite summxE mul_mx_diag mxE; apply: eq_bigr => i _.
by rewrite !mxE big_ord_recl big_ord0 addr0 !mxE mulrCA mulrA.
Qed.

Lemma moment_mull p q m (B : 'M[R]_(m, p)) (A : 'M[R]_(p, N)) (C : 'M[R]_(q, N)) :
  moment (B *m A) C = B *m moment A C.
Proof. by rewrite !momentE !mulmxA. Qed.

Lemma moment_mulr p q m (B : 'M[R]_(m, q)) (A : 'M[R]_(p, N)) (C : 'M[R]_(q, N)) :
  moment A (B *m C) = moment A C *m B^T.
Proof. by rewrite !momentE trmx_mul !mulmxA. Qed.

Lemma momentDl p q (A B : 'M[R]_(p, N)) (C : 'M[R]_(q, N)) :
  moment (A + B) C = moment A C + moment B C.
Proof. by rewrite !momentE !mulmxDl. Qed.

Lemma moment_tr p q (A : 'M[R]_(p, N)) (B : 'M[R]_(q, N)) : (moment A B)^T = moment B A.
Proof. by rewrite !momentE !trmx_mul trmxK tr_diag_mx mulmxA. Qed.

Lemma energyE p (A : 'M[R]_(p, N)) : energy A = \tr (moment A A).
Proof.
rewrite /energy /moment raddf_sum; apply: eq_bigr => i _.
by rewrite /= mxtraceZ mxtrace_mulC /nsq dot_tr.
Qed.

Lemma energy_ge0 p (A : 'M[R]_(p, N)) : (forall i, 0 <= w i) -> 0 <= energy A.
Proof. by move=> w0; apply: sumr_ge0 => i _; rewrite mulr_ge0 ?nsq_ge0. Qed.

Lemma energyB p (A B : 'M[R]_(p, N)) :
  energy (A - B) = energy A - 2%:R * \tr (moment A B) + energy B.
Proof.
have -> : \tr (moment A B) = \sum_i w i * dot (col i A) (col i B).
  rewrite /moment raddf_sum; apply: eq_bigr => i _.
  by rewrite /= mxtraceZ mxtrace_mulC dotC dot_tr.
rewrite /energy mulr_sumr -sumrB -big_split /=; apply: eq_bigr => i _.
by rewrite linearB /= nsqB; ring.
Qed.

Section Regression.
Variables (p q : nat) (A : 'M[R]_(p, N)) (Y : 'M[R]_(q, N)) (B : 'M[R]_(p, q)).
Hypothesis normal : B *m moment Y Y = moment A Y.

Lemma normal_cross (B' : 'M[R]_(p, q)) :
  \tr (moment A (B' *m Y)) = \tr (B *m moment Y Y *m B'^T).
Proof. by rewrite moment_mulr normal. Qed.

(** T21, the energy that a solution of the normal equations explains. *)
Theorem T21_regression_energy :
  energy (A - B *m Y) = energy A - \tr (B *m moment Y Y *m B^T).
Proof.
rewrite energyB normal_cross.
have -> : energy (B *m Y) = \tr (B *m moment Y Y *m B^T).
  by rewrite energyE moment_mulr moment_mull.
by ring.
Qed.

(** T21: and none explains more. *)
Theorem T21_regression_least (B' : 'M[R]_(p, q)) :
  (forall i, 0 <= w i) ->
  energy (A - B' *m Y) = energy (A - B *m Y) + energy ((B - B') *m Y) /\
  energy (A - B *m Y) <= energy (A - B' *m Y).
Proof.
move=> w0; suff E : energy (A - B' *m Y) = energy (A - B *m Y) + energy ((B - B') *m Y).
  by split=> //; rewrite E cle_addl energy_ge0.
have -> : A - B' *m Y = (A - B *m Y) - (B' - B) *m Y by rewrite mulmxBl opprB addrA subrK.
rewrite energyB.
have -> : moment (A - B *m Y) ((B' - B) *m Y) = 0.
  by rewrite moment_mulr momentDl -mulNmx moment_mull mulNmx normal subrr mul0mx.
rewrite mxtrace0 mulr0 subr0; congr (_ + _).
by rewrite -opprB mulNmx /energy; apply: eq_bigr => i _; rewrite linearN /= nsqN.
Qed.

End Regression.
End Moments.

Section Law.
Variables (R : realFieldType) (n N K : nat) (w : 'I_N -> R) (lam : R).
Variables (D : 'M[R]_(n, K)) (Z : 'M[R]_(K, N)) (r : 'M[R]_(n, N)).
Hypothesis atoms : atoms_stationary w lam D Z r.

(** The masses on a diagonal. *)
Definition masses : 'M[R]_K := diag_mx (\row_k mass w Z k).

(** T21: the moment of residuals and codes. *)
Theorem T21_residual_law : moment w r Z = lam *: (D *m masses).
Proof.
apply/matrixP => b k.
have st : \sum_i w i * Z k i * r b i = lam * mass w Z k * D b k.
  have := congr1 (fun v : 'cV[R]_n => v b 0) (atoms k); rewrite /= summxE !mxE => <-.
  by apply: eq_bigr => i _; rewrite !mxE.
rewrite /masses [RHS]mxE mul_mx_diag !mxE [D b k * _]mulrC mulrA -st /moment summxE.
apply: eq_bigr => i _; rewrite !mxE big_ord_recl big_ord0 addr0 !mxE.
by rewrite -mulrA; congr (_ * _); rewrite mulrC.
Qed.

(** T21: the share of the energy that the codes predict. *)
Theorem T21_predictable_from_codes :
  moment w Z Z \in unitmx ->
  energy w (r - (lam *: (D *m masses *m invmx (moment w Z Z))) *m Z)
  = energy w r
    - lam ^+ 2 * \tr (D *m masses *m invmx (moment w Z Z) *m masses *m D^T).
Proof.
move=> unit; rewrite T21_regression_energy; last first.
  by rewrite -scalemxAl mulmxKV // T21_residual_law.
congr (_ - _); rewrite -scalemxAl mulmxKV // linearZ /= -scalemxAl -scalemxAr scalerA.
rewrite mxtraceZ expr2; congr (_ * _); rewrite -mxtrace_tr !trmx_mul !trmxK.
by rewrite tr_diag_mx !mulmxA.
Qed.

(** T21: the moment of residuals and centred activations. *)
Theorem T21_activation_law (Y : 'M[R]_(n, N)) :
  r = Y - D *m Z ->
  moment w r Y = lam *: (D *m masses *m D^T) + moment w r r.
Proof.
move=> rE; have -> : moment w r Y = moment w r (D *m Z + r).
  by congr moment; rewrite rE addrC subrK.
rewrite -moment_tr momentDl moment_mull linearD /= moment_tr trmx_mul moment_tr.
by rewrite T21_residual_law -scalemxAl.
Qed.

End Law.
