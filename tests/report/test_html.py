"""The page: what it says, what it never contains, how large it gets."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import factories
import msgspec
import pytest

from fivefold.contract.outcome import Outcome
from fivefold.report import html
from fivefold.report.nouns import Document, Trouble


class Reader(HTMLParser):
    """Collects tags with attributes, and text outside of style."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(document: Document) -> Reader:
    return Reader(html.render_document(document))


@pytest.mark.parametrize("make", [factories.document, factories.hostile])
def test_the_page_is_small_and_stands_alone(make: object) -> None:
    """At most 300 kB; no script, no inline style, no form, and every link stays inside the page."""
    page = html.render_document(make())  # type: ignore[operator]
    assert len(page) <= 300_000
    allowed = {"script", "iframe", "img", "link", "form", "object", "embed", "base", "foreignobject", "animate"}
    for tag, attributes in Reader(page).tags:
        assert tag not in allowed
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
        for name in ("href", "src", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#")


def test_the_content_policy_allows_this_style_sheet_and_nothing_else() -> None:
    """The policy names the hash of the very style sheet in the page."""
    page = html.render_document(factories.document()).decode()
    policy = next(tag[1]["content"] or "" for tag in Reader(page.encode()).tags if "http-equiv" in tag[1])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"@import|url\((?!#)", style[1])


def test_text_of_the_application_is_never_markup() -> None:
    """A label that is a script, a tag, a quote or a template shows as that text."""
    page = html.render_document(factories.hostile()).decode()
    assert "<script" not in page
    assert "<img" not in page
    assert "49evil" not in page
    assert "{{7*7}}" in page
    assert "\u202e" not in page
    assert "\x00" not in page


def test_what_is_left_out_for_size_is_said() -> None:
    """300 figures with hostile names do not all fit; the page counts those that it leaves out."""
    found = re.search(r"(\d+) figures left out of this page for its size", read(factories.hostile()).text)
    page = html.render_document(factories.hostile())
    shown = page.count(b'<th scope="row">n') + page.count(b'<th scope="row">' + b"n" * 60)
    assert found or shown >= 300


def test_a_page_that_cannot_be_whole_is_cut_until_it_fits() -> None:
    """3,000 figures and 2,000 missing checks still give a page within the limit."""
    checks = tuple(
        factories.check_plan(f"P1.c{i:04d}", status="not-run", reason=f"Reason {i} " + "why " * 20) for i in range(2000)
    )
    ran = factories.check_plan("P3.accuracy")
    many = tuple(factories.measure(f"figure {i}") for i in range(3000))
    document = factories.document(
        plan=factories.plan((*checks, ran)), findings=(factories.finding("P3.accuracy", measures=many),)
    )
    page = html.render_document(document)
    assert len(page) <= 300_000
    assert "left out of this page for its size" in Reader(page).text


def test_the_verdict_comes_first() -> None:
    """Headline, then the ladder, then the claims, then the checks with the failed ones before all others."""
    text = read(factories.document()).text
    marks = (
        "No level is attained; level 4 is declared.",
        "Ladder of the five levels",
        "What stands between",
        "what claim 1b claims",
        "Are groups treated alike?",
        "Can members be told from strangers?",
        "How often is the model wrong?",
        "All attempts",
        "What this evidence does not prove",
    )
    places = [text.index(mark, text.index("Skip to the verdict")) for mark in marks]
    assert places == sorted(places)


def test_every_check_shows_what_it_rests_on() -> None:
    """Value, bounds, threshold, canary, limits, remedy, seed and digests of each finding are in the page."""
    document = factories.document()
    text = read(document).text
    assert "0.790" in text
    assert "0.660 to 0.920" in text
    assert "0.800" in text
    assert "Canary not noticed:" in text
    assert "Found 20 of 20 planted, 0 false alarms on 20 clean cases." in text
    for finding in document.findings:
        assert finding.seed in text
        for value in (finding.digests.model, finding.digests.code, *finding.digests.data.values()):
            assert value in text


def test_every_planned_check_is_in_the_page_and_counted() -> None:
    """Nothing that was planned is passed over, whether it ran or not."""
    document = factories.document()
    text = read(document).text
    assert all(check.check in text for check in document.plan.checks)
    assert "45 checks in the plan" in text


def test_a_planned_check_without_finding_is_not_run() -> None:
    """An attempt that lost a finding says so and does not look complete."""
    text = read(factories.document(findings=factories.findings()[1:])).text
    assert "It was planned, but this attempt holds no finding of it." in text


def test_all_attempts_are_listed() -> None:
    """Also the one that was never closed, with the present one marked."""
    text = read(factories.document()).text
    assert "never closed" in text
    assert "level 0 of 4; 2 failed" in text
    assert "this one" in text


def test_waivers_name_both_officers_and_their_end() -> None:
    """An exemption is visible with who gave it and until when."""
    text = read(factories.document()).text
    assert "until 2027-01-31" in text
    assert "Ada L. and Grace H.: pilot" in text


@pytest.mark.parametrize(
    ("verified", "mark"),
    [
        ("no", "The evidence does not verify. Do not rely on anything below."),
        ("doubt", "Intact, but not a clean answer."),
        ("yes", "The evidence was verified when this page was rendered."),
        ("unchecked", "It proves nothing by itself"),
    ],
)
def test_the_page_says_whether_its_evidence_verifies(verified: str, mark: str) -> None:
    """What did not hold stands at the top, with its file and code."""
    trouble = Trouble(code="evidence.changed", text="it is not the file that was logged.", where="attempts/0001/x")
    text = read(factories.document(verified=verified, troubles=(trouble,))).text
    assert mark in text
    assert ("evidence.changed" in text) == (verified in {"no", "doubt"})


@pytest.mark.parametrize(("mode", "mark"), [("exploratory", "Exploratory."), ("in-process", "In process.")])
def test_a_run_that_is_not_sealed_says_so(mode: str, mark: str) -> None:
    """A run that counts for nothing cannot be taken for evidence."""
    loose = tuple(msgspec.structs.replace(item, mode=mode) for item in factories.findings())
    assert mark in read(factories.document(findings=loose)).text


@pytest.mark.parametrize(
    ("attained", "declared", "headline"),
    [
        (0, 4, "No level is attained; level 4 is declared."),
        (2, 4, "Level 2 is attained; level 4 is declared."),
        (4, 4, "Level 4 is attained, as declared."),
    ],
)
def test_the_headline_is_the_verdict(attained: int, declared: int, headline: str) -> None:
    """Attained and declared level, never one without the other."""
    verdict = factories.verdict(attained=attained, declared=declared, blocks={})
    assert read(factories.document(verdict=verdict)).text.count(headline) >= 1


def test_the_same_document_gives_the_same_bytes() -> None:
    """A report can be compared by its digest; nothing in it depends on the clock."""
    assert html.render_document(factories.document()) == html.render_document(factories.document())


@pytest.mark.parametrize("outcome", list(Outcome))
def test_each_outcome_has_its_section(outcome: Outcome) -> None:
    """A finding of any outcome is shown under that outcome."""
    found = factories.finding("P3.accuracy", outcome, canary=None, measures=())
    page = html.render_document(factories.document(findings=(found,))).decode()
    assert f'id="outcome-{outcome}"' in page


def test_an_empty_plan_renders() -> None:
    """No checks, no findings, no aims: still a page."""
    document = factories.document(
        plan=factories.plan(()), findings=(), attempts=(), verdict=factories.verdict(claims=(), aims=(), counts={})
    )
    assert "0 checks in the plan" in read(document).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `fivefold <x>` now.", "Run <code>fivefold &lt;x&gt;</code> now."),
        ("an odd ` tick <b>", "an odd ` tick &lt;b&gt;"),
        ("`{{ a }}``b`", "<code>{{ a }}</code><code>b</code>"),
    ],
)
def test_ticks_become_code_and_nothing_else_does(text: str, expected: str) -> None:
    """Commands in remedies are set as code; an unpaired tick stays as it is; all is escaped."""
    assert html._ticks(text) == expected


def test_a_flood_of_troubles_and_attempts_neither_hides_the_verdict_nor_breaks_the_limit() -> None:
    """5,000 unknown signatures are one line; 500 different faults and 5,000 attempts are cut and counted."""
    unknown = tuple(Trouble(code="trust.unknown-key", text="key x is not known.", where=f"f{i}") for i in range(5000))
    faults = tuple(Trouble(code="evidence.changed", text=f"fault {i}.", where=f"g{i}") for i in range(500))
    lines = tuple(factories.AttemptLine(number=i, plan="0" * 64, started="2026-11-23") for i in range(1, 5001))
    document = factories.document(verified="no", troubles=(*unknown, *faults), attempts=lines)
    page = html.render_document(document)
    text = Reader(page).text
    assert len(page) <= 300_000
    assert "f0, f1, f2, f3 and 4 996 more files" in text
    assert "And 481 more" in text
    assert "earlier attempts left out of this page" in text
