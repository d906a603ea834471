"""Models that are commands: programs in other languages, by the product's own run; and programs that misbehave."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from fivefold.assess.probe import probe
from fivefold.assess.run import Options, assess
from fivefold.contract.outcome import Outcome
from fivefold.errors import InputError
from fivefold.manifest.reader import read
from fivefold.subject.worker import confine

if TYPE_CHECKING:
    from pathlib import Path

    from fivefold.contract.plan import ModelFact

AWK = """
BEGIN { FS = OFS = "," }
NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; print "prediction,p:no,p:yes"; next }
{ p = 1 / (1 + exp(-(2 * $(c["weight"]) - $(c["height"]) + ($(c["colour"]) == "red"))))
  printf "%s,%.9f,%.9f\\n", (p > 0.5 ? "yes" : "no"), 1 - p, p }
"""
PERL = """
my @names = split /,/, <STDIN> =~ s/\\n//r; my %at = map { $names[$_] => $_ } 0 .. $#names;
print "prediction,p:no,p:yes\\n";
while (<STDIN>) { chomp; my @v = split /,/, $_, -1;
  my $p = 1 / (1 + exp(-(2 * $v[$at{weight}] - $v[$at{height}] + ($v[$at{colour}] eq "red"))));
  printf "%s,%.9f,%.9f\\n", ($p > 0.5 ? "yes" : "no"), 1 - $p, $p }
"""
R = """
rows <- read.csv(file("stdin"), check.names = FALSE)
p <- 1 / (1 + exp(-(2 * rows$weight - rows$height + (rows$colour == "red"))))
write.csv(data.frame(prediction = ifelse(p > 0.5, "yes", "no"), "p:no" = 1 - p, "p:yes" = p, check.names = FALSE),
          row.names = FALSE, quote = FALSE)
"""
C = """
#include <stdio.h>
#include <math.h>
#include <string.h>
int main(void) { char line[4096]; double w, h, a; char colour[64], rest[4096];
  fgets(line, sizeof line, stdin); puts("prediction,p:no,p:yes");
  while (fgets(line, sizeof line, stdin)) { rest[0] = 0;
    sscanf(line, "%lf,%lf,%lf,%63[^,\\n]%s", &w, &h, &a, colour, rest);
    double p = 1 / (1 + exp(-(2 * w - h + (strcmp(colour, "red") == 0))));
    printf("%s,%.9f,%.9f\\n", p > 0.5 ? "yes" : "no", 1 - p, p); }
  return 0; }
"""
SCRIPTS = {
    "awk": ("model.awk", AWK, ["awk", "-f", "model.awk"]),
    "perl": ("model.pl", PERL, ["perl", "model.pl"]),
    "R": ("predict.R", R, ["Rscript", "predict.R"]),
}


def rows(count: int, seed: int, steep: float = 1.0) -> pd.DataFrame:
    """Return rows whose answer follows the programs' own rule, but for chance; the less steep, the more of it."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=count).round(4) for name in ("weight", "height", "age")})
    frame["colour"] = rng.choice(["red", "green", "blue é"], count)
    told = 2 * frame["weight"] - frame["height"] + (frame["colour"] == "red")
    chance = 1 / (1 + np.exp(-steep * told))
    frame["answer"] = np.where(rng.random(count) < chance, "yes", "no")
    return frame


def application(root: Path, command: list[str], files: dict[str, str], **more: object) -> Path:
    """Write an application whose model is a command."""
    root.mkdir(parents=True)
    for name, seed in (("train", 1), ("test", 2)):
        rows(400, seed).to_csv(root / f"{name}.csv", index=False)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
        (root / name).chmod(0o755)
    manifest = {
        "fivefold": 1,
        "application": {"id": "by-command", "level": 2, "purpose": "try a command"},
        "use": {"output": "label", "acts": "human"},
        "data": {"train": {"path": "train.csv", "target": "answer"}, "test": {"path": "test.csv"}},
        "model": {"command": command, **more},
    }
    (root / "fivefold.yaml").write_text(yaml.safe_dump(manifest, default_flow_style=None), encoding="utf-8")
    return root


def fact(root: Path) -> ModelFact:
    """Return what the probe found."""
    found = probe(read(root)).model
    assert found is not None
    return found


def perl(root: Path, body: str, **more: object) -> Path:
    """Write an application whose model is a Perl script; ``$h`` is the header, ``@r`` the rows."""
    start = "my $h = <STDIN>; my @r = <STDIN>;\n$| = 1;\n"
    return application(root, ["perl", "model.pl"], {"model.pl": start + body}, **more)


@pytest.mark.parametrize("language", [*SCRIPTS, "C"])
def test_programs_of_other_languages(tmp_path: Path, language: str) -> None:
    """Probed as any model: two classes, probabilities, the same answers twice, rows put together anew."""
    if language == "C":
        if shutil.which("gcc") is None:
            pytest.skip("there is no C compiler here")
        (tmp_path / "model.c").write_text(C, encoding="utf-8")
        subprocess.run(["gcc", "-O1", "-o", tmp_path / "model", tmp_path / "model.c", "-lm"], check=True)
        root = application(tmp_path / "app", ["./model"], {})
        shutil.copy(tmp_path / "model", root / "model")
    else:
        name, text, command = SCRIPTS[language]
        if shutil.which(command[0]) is None:
            pytest.skip(f"there is no {command[0]} here")
        root = application(tmp_path / "app", command, {name: text})
    found = fact(root)
    assert not found.error, found.error
    assert (found.kind, found.task, found.classes) == ("command", "binary", ("no", "yes"))
    assert found.scores
    assert found.deterministic
    assert found.perturbable


@pytest.mark.usefixtures("few_checks")
def test_a_program_is_assessed_from_a_short_manifest(tmp_path: Path) -> None:
    """A run on awk, which every machine has: measured checks, a sealed verdict, the kind said."""
    root = application(tmp_path / "app", ["awk", "-f", "model.awk"], {"model.awk": AWK})
    assert len((root / "fivefold.yaml").read_text(encoding="utf-8").splitlines()) <= 15
    rows(2000, 2, steep=0.4).to_csv(root / "test.csv", index=False)  # a thief without questions errs on enough
    done = assess(read(root), Options(effort="quick"))
    outcomes = {item.check: item.result for item in done.findings}
    assert outcomes["P3.accuracy"].outcome is Outcome.PASS, outcomes["P3.accuracy"].reason
    assert outcomes["P2.extraction"].outcome is Outcome.FAIL, outcomes["P2.extraction"].reason


def test_the_script_and_the_program_are_signed(tmp_path: Path) -> None:
    """The script belongs to the signed set; another program at the same place is another model."""
    from fivefold.evidence import signed_set

    root = application(tmp_path / "app", ["awk", "-f", "model.awk"], {"model.awk": AWK})
    assert set(signed_set.files(read(root))) == {"model.awk"}


LABELS = 'print "prediction\\n"; print((/^-/ ? "no" : "yes"), "\\n") for @r;'


def test_labels_alone_and_values(tmp_path: Path) -> None:
    """One column of labels: no scores. One of numbers against a target of numbers: a regression."""
    found = fact(perl(tmp_path / "labels", LABELS))
    assert (found.task, found.scores, found.error) == ("binary", False, "")
    root = perl(
        tmp_path / "values", 'print "prediction\\n"; print((split /,/)[0] * 2 + 1, "\\n") for @r;', task="regression"
    )
    for name in ("train", "test"):
        frame = pd.read_csv(root / f"{name}.csv")
        frame.assign(answer=frame["weight"] * 2 + 1.5).to_csv(root / f"{name}.csv", index=False)
    assert fact(root).task == "regression"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("exit 3;", "exit code 3"),
        ("kill 'SEGV', $$; sleep 9;", "command"),
        ("1;", "nothing to its standard output"),
        ('print STDERR "prediction\\n"; print STDERR "yes\\n" for @r;', "to its standard error"),
        ('print "yes\\n" for @r;', "header"),
        ('print "prediction\\n"; print "yes\\n" for @r[1 .. $#r];', "answers for"),
        ('print "prediction\\n"; print "yes\\n" for @r, @r;', "answers for"),
        ('print "prediction\\n"; print "NaN\\n" for @r;', "NaN"),
        ('print "prediction\\n"; print "perhaps\\n" for @r;', "class"),
        ('print "p:no,p:yes\\n"; print "0.9,0.9\\n" for @r;', ""),
        ('print "p:no,p:yes\\n"; print "x,y\\n" for @r;', "probabilities"),
        ('print "\\xff\\xfe\\x00" x 99;', "command"),
        ('print "prediction\\n"; print((/^-/ ? "no" : "yes"), "\\n") for reverse @r;', "order"),
    ],
)  # fmt: skip
def test_a_program_that_misbehaves_is_told_so(tmp_path: Path, body: str, says: str) -> None:
    """Each fault has its own words in the facts; nothing of the rows is quoted."""
    found = fact(perl(tmp_path / "app", body))
    assert found.error, "it was taken for a model"
    assert says in found.error
    assert "blue" not in found.error


def test_answers_by_chance_are_said_to_be_unsteady(tmp_path: Path) -> None:
    """A program that throws a coin is a model, and no steady one."""
    body = 'print "prediction\\n"; print((rand() > 0.5 ? "yes" : "no"), "\\n") for @r;'
    assert fact(perl(tmp_path / "app", body)).deterministic is False


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """After its time it is gone, and so is the child that it left behind."""
    root = perl(tmp_path / "app", "if (!fork) { sleep 600 } sleep 600;")
    (root / "site.yaml").write_text("command: {seconds: 1}\n", encoding="utf-8")
    found = fact(root)
    assert "did not end within 1 seconds" in found.error
    left = subprocess.run(["pgrep", "-f", "perl model.pl"], capture_output=True, text=True, check=False).stdout
    assert not left.strip()


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ('open(my $f, "<", "/etc/shadow") and print STDERR "READ";', "files that it was not given"),
        ('open(my $f, "<", "test.csv") and print STDERR "READ";', "the test data"),
        ('open(my $f, ">", "left.txt") and print STDERR "READ";', "files in the application"),
        ('use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0) and print STDERR "READ";', "the network"),
        ('system("/usr/bin/id") == 0 and print STDERR "READ";', "other programs"),
    ],
)
def test_a_program_reaches_nothing_else(tmp_path: Path, body: str, what: str) -> None:
    """What it tries fails; it ends with code 9 where the attempt came through, and answers where it did not."""
    protections = confine.protections()
    if "seccomp" not in protections or not any(name.startswith("landlock") for name in protections):
        pytest.skip("this kernel has no Landlock or seccomp")
    guarded = body.replace('print STDERR "READ"', "exit 9")
    use = "use Socket;\n" if "Socket" in body else ""
    root = perl(tmp_path / "app", f"{guarded.replace('use Socket; ', '')}\n{LABELS}")
    if use:
        script = root / "model.pl"
        script.write_text(use + script.read_text(encoding="utf-8"), encoding="utf-8")
    found = fact(root)
    assert not found.error, f"it reached {what}: {found.error}"


def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    """A program that never stops writing is ended by the size of its file, not by a full disk."""
    root = perl(tmp_path / "app", 'while (1) { print "x" x 65536 or exit 4 }')
    (root / "site.yaml").write_text("command: {seconds: 60}\n", encoding="utf-8")
    assert fact(root).error


def test_processes_are_capped(tmp_path: Path) -> None:
    """A program that keeps forking is ended."""
    root = perl(tmp_path / "app", "for (1 .. 400) { if (!fork) { sleep 60; exit } } sleep 60;")
    (root / "site.yaml").write_text("command: {seconds: 20}\n", encoding="utf-8")
    found = fact(root)
    assert "processes" in found.error or "did not end" in found.error


def test_a_budget_of_starts_is_kept(tmp_path: Path) -> None:
    """Twenty starts in all: the program counts them itself in its scratch, and the run says what it could not do."""
    root = application(tmp_path / "app", ["awk", "-f", "model.awk"], {"model.awk": AWK}, calls=20)
    done = assess(read(root), Options(effort="quick", only=("P3.accuracy", "P2.extraction")))
    assert {item.check for item in done.findings} == {"P3.accuracy", "P2.extraction"}


@pytest.mark.parametrize("command", [["no-such-program-xyz"], ["./missing"]])
def test_a_program_that_is_not_there(tmp_path: Path, command: list[str]) -> None:
    """Refused with where it was looked for."""
    root = application(tmp_path / "app", command, {})
    with pytest.raises((InputError, Exception)) as caught:
        probe(read(root))
    assert "program" in str(caught.value) or "file" in str(caught.value)
