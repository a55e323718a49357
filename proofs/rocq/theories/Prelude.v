(** * Prelude: Frobenius inner product, squared norm, basic inequalities.

  Everything is over an arbitrary ordered field [R : realFieldType]
  (so it applies to the rationals used by the exact checker, and to any
  model of the reals); the Euclidean norm [nrm] needs square roots, hence
  [R : rcfType].  Column vectors are ['cV[R]_n = 'M[R]_(n,1)], so the
  vector inner product is the matrix (Frobenius) one.                    *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From Widedict Require Import Compat.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory Num.Theory Order.Theory.
Local Open Scope ring_scope.

Section Frobenius.
Variable R : realFieldType.
Implicit Types (m n p : nat).

(** Frobenius inner product and squared norm. *)
Definition dot m n (A B : 'M[R]_(m, n)) : R := \sum_i \sum_j A i j * B i j.
Definition nsq m n (A : 'M[R]_(m, n)) : R := dot A A.
(** Sum of all entries (the l1 norm of an entrywise nonnegative matrix). *)
Definition tot m n (A : 'M[R]_(m, n)) : R := \sum_i \sum_j A i j.
(** Entrywise nonnegativity. *)
Definition nneg m n (A : 'M[R]_(m, n)) : Prop := forall i j, 0 <= A i j.
(** The l1 objective: 1/2 |X - D Z|_F^2 + lam * sum of all codes.
    Columns of [X] are datapoints, columns of [D] atoms. *)
Definition l1_obj n N K (lam : R) (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) : R := nsq (X - D *m Z) / 2%:R + lam * tot Z.
(** The same with a weight [w i] for each datapoint. *)
Definition wl1_obj n N K (w : 'I_N -> R) (lam : R) (X : 'M[R]_(n, N)) (D : 'M[R]_(n, K))
    (Z : 'M[R]_(K, N)) : R :=
  \sum_i w i * (nsq (col i (X - D *m Z)) / 2%:R + lam * \sum_k Z k i).

Lemma dot_tr m n (A B : 'M[R]_(m, n)) : dot A B = \tr (A^T *m B).
Proof.
rewrite /dot /mxtrace exchange_big /=; apply: eq_bigr => j _.
by rewrite mxE; apply: eq_bigr => i _; rewrite mxE.
Qed.

Lemma dotC m n (A B : 'M[R]_(m, n)) : dot A B = dot B A.
Proof. by apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite mulrC. Qed.

Lemma dotDl m n (A B C : 'M[R]_(m, n)) : dot (A + B) C = dot A C + dot B C.
Proof. by rewrite !dot_tr linearD /= mulmxDl mxtraceD. Qed.

Lemma dotZl m n a (A C : 'M[R]_(m, n)) : dot (a *: A) C = a * dot A C.
Proof. by rewrite !dot_tr linearZ /= -scalemxAl mxtraceZ. Qed.

Lemma dotNl m n (A C : 'M[R]_(m, n)) : dot (- A) C = - dot A C.
Proof. by rewrite -scaleN1r dotZl mulN1r. Qed.

Lemma dotDr m n (A B C : 'M[R]_(m, n)) : dot A (B + C) = dot A B + dot A C.
Proof. by rewrite dotC dotDl !(dotC A). Qed.

Lemma dotNr m n (A C : 'M[R]_(m, n)) : dot A (- C) = - dot A C.
Proof. by rewrite dotC dotNl dotC. Qed.

Lemma dotZr m n a (A C : 'M[R]_(m, n)) : dot A (a *: C) = a * dot A C.
Proof. by rewrite dotC dotZl dotC. Qed.

Lemma dot0l m n (A : 'M[R]_(m, n)) : dot 0 A = 0.
Proof. by rewrite -(scale0r 0) dotZl mul0r. Qed.

Lemma dot0r m n (A : 'M[R]_(m, n)) : dot A 0 = 0.
Proof. by rewrite dotC dot0l. Qed.

Lemma dot_sumr m n (I : finType) (A : 'M[R]_(m, n)) (F : I -> 'M[R]_(m, n)) :
  dot A (\sum_i F i) = \sum_i dot A (F i).
Proof.
apply: (big_ind2 (fun M x => dot A M = x)) => //; first exact: dot0r.
by move=> M x N y <- <-; rewrite dotDr.
Qed.

(** Adjoint identities. *)
Lemma dot_mull m n p (A : 'M[R]_(m, n)) (B : 'M_(n, p)) (C : 'M_(m, p)) :
  dot (A *m B) C = dot B (A^T *m C).
Proof. by rewrite !dot_tr trmx_mul mulmxA. Qed.

Lemma dot_mulr m n p (A : 'M[R]_(m, n)) (B : 'M_(n, p)) (C : 'M_(m, p)) :
  dot (A *m B) C = dot A (C *m B^T).
Proof. by rewrite !dot_tr trmx_mul -mulmxA mxtrace_mulC mulmxA. Qed.

(** Splitting by columns. *)
Lemma dot_col m n (A B : 'M[R]_(m, n)) :
  dot A B = \sum_j dot (col j A) (col j B).
Proof.
rewrite /dot exchange_big /=; apply: eq_bigr => j _.
by apply: eq_bigr => i _; rewrite big_ord_recl big_ord0 addr0 !mxE.
Qed.

Lemma col_mulmx m n p (A : 'M[R]_(m, n)) (B : 'M[R]_(n, p)) j :
  col j (A *m B) = A *m col j B.
Proof. by rewrite !colE mulmxA. Qed.

Lemma nsq_ge0 m n (A : 'M[R]_(m, n)) : 0 <= nsq A.
Proof. by apply: sumr_ge0 => i _; apply: sumr_ge0 => j _; rewrite -expr2 sqr_ge0. Qed.

Lemma nsq_eq0 m n (A : 'M[R]_(m, n)) : nsq A = 0 -> A = 0.
Proof.
move=> A0; apply/matrixP => i j; rewrite mxE.
have sq0 i' j' : 0 <= A i' j' * A i' j' by rewrite -expr2 sqr_ge0.
have rowi : \sum_j A i j * A i j = 0.
  by apply: (psumr_eq0P _ A0) => // i' _; apply: sumr_ge0.
have /eqP : A i j * A i j = 0 by apply: (psumr_eq0P _ rowi).
by rewrite mulf_eq0 orbb => /eqP.
Qed.

Lemma nsqD m n (A B : 'M[R]_(m, n)) : nsq (A + B) = nsq A + 2%:R * dot A B + nsq B.
Proof. by rewrite /nsq dotDl !dotDr (dotC B A); ring. Qed.

Lemma nsqB m n (A B : 'M[R]_(m, n)) : nsq (A - B) = nsq A - 2%:R * dot A B + nsq B.
Proof. by rewrite /nsq dotDl !dotDr !dotNl !dotNr (dotC B A); ring. Qed.

Lemma nsqZ m n a (A : 'M[R]_(m, n)) : nsq (a *: A) = a ^+ 2 * nsq A.
Proof. by rewrite /nsq dotZl dotZr; ring. Qed.

Lemma nsqN m n (A : 'M[R]_(m, n)) : nsq (- A) = nsq A.
Proof. by rewrite /nsq dotNl dotNr opprK. Qed.

(** Young: <A,B> <= 1/2|A|^2 + 1/2|B|^2. *)
Lemma young m n (A B : 'M[R]_(m, n)) :
  dot A B <= nsq A / 2%:R + nsq B / 2%:R.
Proof.
rewrite -subr_ge0.
have -> : nsq A / 2%:R + nsq B / 2%:R - dot A B = nsq (A - B) / 2%:R
  by rewrite nsqB; field.
by rewrite divr_ge0 ?nsq_ge0 ?ler0n.
Qed.

(** Cauchy-Schwarz, square-root free. *)
Lemma cauchy_schwarz m n (A B : 'M[R]_(m, n)) :
  dot A B ^+ 2 <= nsq A * nsq B.
Proof.
have [B0|Bn0] := eqVneq (nsq B) 0.
  by rewrite (nsq_eq0 B0) dot0r expr0n /= mulr_ge0 ?nsq_ge0.
have Bgt0 : 0 < nsq B by rewrite lt_def Bn0 nsq_ge0.
have := nsq_ge0 (nsq B *: A - dot A B *: B).
rewrite nsqB !nsqZ dotZl dotZr.
have -> : nsq B ^+ 2 * nsq A - 2%:R * (nsq B * (dot A B * dot A B)) + dot A B ^+ 2 * nsq B
        = nsq B * (nsq A * nsq B - dot A B ^+ 2) by ring.
by rewrite pmulr_rge0 // subr_ge0.
Qed.

(** If |A|<=1 and |B|<=s then <A,B> <= s (square-root free). *)
Lemma dot_le_bound m n (A B : 'M[R]_(m, n)) s :
  0 <= s -> nsq A <= 1 -> nsq B <= s ^+ 2 -> dot A B <= s.
Proof.
move=> s0 A1 Bs; apply: csqr_le => //.
apply: le_trans (cauchy_schwarz A B) _.
apply: le_trans Bs; rewrite -[leRHS]mul1r.
by apply: cle_wpmul2r; rewrite ?nsq_ge0.
Qed.

End Frobenius.

Section Norm.
Variable R : rcfType.

(** Euclidean / Frobenius norm. *)
Definition nrm m n (A : 'M[R]_(m, n)) : R := Num.sqrt (nsq A).

Lemma nrm_ge0 m n (A : 'M[R]_(m, n)) : 0 <= nrm A.
Proof. exact: sqrtr_ge0. Qed.

Lemma nrm_sq m n (A : 'M[R]_(m, n)) : nrm A ^+ 2 = nsq A.
Proof. by rewrite sqr_sqrtr ?nsq_ge0. Qed.

Lemma nrm0 m n : nrm (0 : 'M[R]_(m, n)) = 0.
Proof. by rewrite /nrm /nsq dot0l sqrtr0. Qed.

Lemma nrm_eq0 m n (A : 'M[R]_(m, n)) : nrm A = 0 -> A = 0.
Proof. by move=> A0; apply: nsq_eq0; rewrite -nrm_sq A0 expr0n. Qed.

Lemma nrmZ m n a (A : 'M[R]_(m, n)) : nrm (a *: A) = `|a| * nrm A.
Proof. by rewrite /nrm nsqZ sqrtrM ?sqr_ge0 // sqrtr_sqr. Qed.

Lemma nrmN m n (A : 'M[R]_(m, n)) : nrm (- A) = nrm A.
Proof. by rewrite /nrm nsqN. Qed.

Lemma dot_le_nrm m n (A B : 'M[R]_(m, n)) : dot A B <= nrm A * nrm B.
Proof.
apply: csqr_le; rewrite ?mulr_ge0 ?nrm_ge0 //.
by rewrite exprMn !nrm_sq cauchy_schwarz.
Qed.

Lemma nrmD m n (A B : 'M[R]_(m, n)) : nrm (A + B) <= nrm A + nrm B.
Proof.
apply: csqr_le; rewrite ?addr_ge0 ?nrm_ge0 //.
rewrite nrm_sq nsqD sqrrD -!nrm_sq cle_add2r cle_add2l -[leRHS]mulr_natl.
by apply: cle_wpmul2l; [exact: ler0n | exact: dot_le_nrm].
Qed.

Lemma nrm_sum m n (I : finType) (F : I -> 'M[R]_(m, n)) :
  nrm (\sum_i F i) <= \sum_i nrm (F i).
Proof.
apply: (big_ind2 (fun M x => nrm M <= x)); rewrite ?nrm0 //.
by move=> M x N y Mx Ny; apply: le_trans (nrmD _ _) (cle_add Mx Ny).
Qed.

(** Reverse triangle inequality. *)
Lemma nrmB_ge m n (A B : 'M[R]_(m, n)) : nrm A - nrm B <= nrm (A - B).
Proof. by rewrite cle_sub; have := nrmD (A - B) B; rewrite subrK. Qed.

End Norm.
