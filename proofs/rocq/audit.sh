#!/bin/sh
# Audits the compiled proofs (`make check` builds them first):
#   1. no escape hatch in the sources or the flags, and no notation that could make a
#      printed statement look like another;
#   2. trace.tsv, _CoqProject and theories/ name the same theorems and files;
#   3. every theorem is closed under the global context;
#   4. statements and definitions are those of audit.expected.<version>
#      (`./audit.sh --bless` rewrites it; pretty-printing differs between versions, hence
#      one golden file for each, and a missing one is a failure);
#   5. every theorem has a Rust test carrying its tag, and no tag dangles.
set -eu
export LC_ALL=C
cd "$(dirname "$0")"
repo=../..
tab=$(printf '\t')
fail() { echo "audit: $*" >&2; exit 1; }

case "${1:-}" in '' | --bless) ;; *) fail "unknown argument $1" ;; esac
work=audit.tmp
rm -rf "$work"
mkdir "$work"

# 1. Words are looked for in comments too: a false alarm there is cheap to reword.
hatches='Admitted|admit|give_up|Axioms?|Parameters?|Conjectures?|Guard Checking|Positivity Checking|Universe Checking|bypass_check|type-in-type|Declare ML Module|Load|Drop|Primitive|Symbols?|Rewrite Rules?|vm_cast_no_check|native_cast_no_check|exact_no_check|Notation|Infix|Coercion|Canonical|Declare Scope|Delimit Scope|Bind Scope'
if grep -nEw "$hatches" theories/*.v; then fail "escape hatch found"; fi
if grep -nE -e '-(type-in-type|bypass|vos|noinit|indices-matter|allow-sprop|impredicative-set|boot|require|load|top)' _CoqProject; then
  fail "unexpected flag in _CoqProject"; fi
[ "$(grep -c '^-' _CoqProject)" = 2 ] || fail "_CoqProject: expected only -Q and the warning flags"

# 2. The same files and theorems everywhere.
sed -n 's,^theories/,,p' _CoqProject | sort > "$work/listed"
(cd theories && ls ./*.v) | sed 's,^\./,,' | sort > "$work/present"
diff -u "$work/listed" "$work/present" || fail "_CoqProject does not list exactly theories/*.v"
grep -v '^#' trace.tsv > "$work/trace" || fail "trace.tsv is empty"
if grep -nvE "^Widedict\.[A-Za-z]+\.T[0-9]+[a-z]?_[A-Za-z0-9_]+${tab}T[0-9]+[a-z]? [a-z0-9-]+${tab}tests/it/([a-z_]+/)*[a-z_]+\.rs::[a-z0-9_]+\$" "$work/trace"; then
  fail "malformed line in trace.tsv"; fi
cut -f1 "$work/trace" | sort > "$work/traced"
for column in 1 3; do
  twice=$(cut -f$column "$work/trace" | sort | uniq -d)
  [ -z "$twice" ] || fail "trace.tsv: listed twice: $twice"
done
for f in theories/*.v; do
  sed -nE "s/^[[:space:]]*(Theorem|Corollary|Proposition|Fact|Remark)[[:space:]]+([A-Za-z0-9_']+).*/Widedict.$(basename "$f" .v).\2/p" "$f"
done | sort > "$work/theorems"
diff -u "$work/theorems" "$work/traced" || fail "trace.tsv does not list exactly the theorems of theories/"
while IFS="$tab" read -r theorem slug test; do
  name=${theorem##*.}
  [ "${name%%_*}" = "${slug%% *}" ] || fail "$theorem: slug $slug does not match its name"
done < "$work/trace"

# 3. and 4. What the kernel has accepted.
{ echo 'From mathcomp Require Import all_ssreflect all_algebra.'
  for f in theories/*.v; do echo "From Widedict Require Import $(basename "$f" .v)."; done
  echo 'Set Printing Width 100.'
  while read -r theorem; do
    printf 'About %s.\nPrint Assumptions %s.\n' "$theorem" "$theorem"
  done < "$work/traced"
  # the definitions that the statements are made of
  for f in theories/*.v; do
    sed -nE "s/^[[:space:]]*((Local|Global|Program)[[:space:]]+)*(Definition|Fixpoint|CoFixpoint|Inductive|CoInductive|Record|Structure|Class|Variant)[[:space:]]+([A-Za-z0-9_']+).*/Print Widedict.$(basename "$f" .v).\4./p" "$f"
  done | sort -u
} > "$work/Audit.v"
(cd "$work" && coqc -q -Q ../theories Widedict -w -notation-overridden,-ambiguous-paths Audit.v) > "$work/out" ||
  fail "the audit file does not compile"
n=$(wc -l < "$work/traced" | tr -d ' ')
m=$(grep -c '^Closed under the global context$' "$work/out" || true)
[ "$n" -gt 0 ] && [ "$n" = "$m" ] || fail "$m of $n theorems are axiom-free"
golden=audit.expected.$(coqc -print-version | cut -d' ' -f1 | cut -d. -f1,2)
if [ "${1:-}" = --bless ]; then cp "$work/out" "$golden"; fi
[ -f "$golden" ] || fail "no $golden for this version: read the statements, then run ./audit.sh --bless"
diff -u "$golden" "$work/out" || fail "statements or definitions differ from $golden"

# 5. The Rust side.
for d in src tests/it; do [ -d "$repo/$d" ] || fail "$d is missing"; done
[ -f "$repo/tests/it/main.rs" ] || fail "tests/it/main.rs is missing"
# file::function<TAB>tag, for every tag in the comment block above a plain test
find "$repo/tests" -name '*.rs' | sort | while read -r file; do
  awk -v file="${file#"$repo"/}" '
    { line = $0; sub(/^[ \t]+/, "", line) }
    line ~ /^(\/\/|#\[)/ { block = block "\n" line; next }
    line ~ /^(pub )?fn [a-z0-9_]+\(/ {
      name = line; sub(/^(pub )?fn /, "", name); sub(/\(.*/, "", name)
      if (("\n" block "\n") ~ /\n#\[test\]\n/ && block !~ /\n#\[(ignore|cfg|should_panic)/) {
        print file "::" name "\t-"
        rest = block
        while (match(rest, /PROOF:[ \t]*Widedict\.[A-Za-z0-9_.]*[A-Za-z0-9_]/)) {
          tag = substr(rest, RSTART, RLENGTH); sub(/^PROOF:[ \t]*/, "", tag)
          print file "::" name "\t" tag
          rest = substr(rest, RSTART + RLENGTH)
        }
      }
    }
    { block = "" }' "$file"
done > "$work/tests"
while IFS="$tab" read -r theorem slug test; do
  grep -qxF "$test$tab-" "$work/tests" || fail "$theorem: no test $test"
  grep -qxF "$test$tab$theorem" "$work/tests" || fail "$theorem: no 'PROOF: $theorem' tag above $test"
done < "$work/trace"
# a file of tests counts when it is compiled, whole and unconditionally
cut -f3 "$work/trace" | sed 's/::.*//' | sort -u > "$work/files"
while read -r file; do
  # a/b.rs by `mod a;` in main.rs and `mod b;` in a/mod.rs
  folder=tests/it
  parent=$folder/main.rs
  rest=${file#"$folder"/}
  while [ -n "$rest" ]; do
    name=${rest%%/*}
    rest=${rest#"$name"}
    rest=${rest#/}
    module=${name%.rs}
    grep -B1 -xF "mod $module;" "$repo/$parent" > "$work/module" ||
      fail "$parent does not declare mod $module"
    if grep -q '^#' "$work/module"; then fail "$parent: mod $module is conditional"; fi
    folder=$folder/$module
    parent=$folder/mod.rs
    if [ -n "$rest" ] && grep -nE '/\*|#!\[|macro_rules!' "$repo/$parent"; then
      fail "$parent: block comments, inner attributes and macros could hide a module"; fi
  done
  if grep -nE '/\*|#!\[|^mod |macro_rules!' "$repo/$file"; then
    fail "$file: block comments, inner attributes, modules and macros could hide a test"; fi
done < "$work/files"
grep -rhoE 'PROOF:[[:space:]]*Widedict[A-Za-z0-9_.]*' "$repo/src" "$repo/tests" |
  sed -E 's/PROOF:[[:space:]]*//; s/\.+$//' | sort -u > "$work/tags"
while read -r tag; do
  grep -qxF "$tag" "$work/traced" || fail "dangling tag $tag: not in trace.tsv"
done < "$work/tags"

echo "audit: $n theorems, all axiom-free (closed under the global context), each with its Rust test"
