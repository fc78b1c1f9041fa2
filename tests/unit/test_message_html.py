"""HTML to what a reader sees."""

from __future__ import annotations

import time

import pytest

from cubbyd.message.html import html_to_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Dear Dana,</p><p>Mia is <b>si</b>ck &amp; home</p>", "Dear Dana,\nMia is sick & home"),
        ("one<br>two<br><br>four", "one\ntwo\n\nfour"),
        ("<table><tr><td>Lunch</td><td>4&nbsp;$</td></tr><tr><td>Snack</td></tr></table>", "Lunch 4 $\nSnack"),
        ("<ul><li>wipes</li><li>diapers</li></ul>", "- wipes\n- diapers"),
        ("<blockquote><div>old</div><blockquote>older</blockquote></blockquote>new", "> old\n> older\nnew"),
        ("<pre>a  b\nc</pre>", "a  b\nc"),
        ('<div style="white-space: pre-wrap">a\nb</div>', "a\nb"),
        ('<a href="https://x.example/track">Menu</a>', "Menu"),
        ('<img alt="Summer party" src="a.png"><img alt="logo.png"><img alt="-">', "Summer party"),
        ("<head><title>t</title><style>p{}</style></head><body><script>1</script>x</body>", "x"),
        ("a<!-- b -->c<!--[if mso]><p>d</p><![endif]-->e", "ace"),
        ("<![if !mso]><p>shown</p><![endif]>", "shown"),
        ("<html><body>one</body></html><html><body>two</body></html>", "one\n\ntwo"),
        ("a</>b</ c>d<p>e</p>", "abd\ne"),
        ("no markup < 5 & more", "no markup < 5 & more"),
        ("", ""),
    ],
)
def test_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@pytest.mark.parametrize(
    "attribute",
    [
        "hidden",
        'style="display:none"',
        'style="color:red; DISPLAY : none !important"',
        'style="visibility:hidden"',
        'style="mso-hide:all"',
        'style="opacity:0"',
        'style="font-size:0px;line-height:0"',
        'style="max-height:0px;overflow:hidden"',
        'style="color:transparent"',
    ],
)
def test_hidden_text_is_never_seen(attribute: str) -> None:
    assert html_to_text(f"<div {attribute}>SECRET<p>SECRET</p></div><p>shown</p>") == "shown"


@pytest.mark.parametrize(
    "style", ["font-size:0.9em", "opacity:0.5", "max-height:0", "background-color:transparent", "display:block"]
)
def test_what_only_looks_hidden_is_seen(style: str) -> None:
    assert html_to_text(f'<p style="{style}">shown</p>') == "shown"


def test_no_depth_of_replies_loses_text() -> None:
    html = "newest" + "<blockquote><div>" * 300 + "oldest" + "</div></blockquote>" * 300 + "below"
    assert html_to_text(html) == "newest\n> oldest\nbelow"


_MANY = " ".join(f"a{number}" for number in range(150_000))


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 200_000,
        "<blockquote>" * 100_000,
        f"<p {_MANY}>",
        "<p " + " ".join(f'a{number}=">"' for number in range(100_000)) + ">",
        f"<style><a b='</style><p b=\"'>\" {_MANY}>",  # markup that only looks closed to one who does not know styles
        "<!--" * 300_000,
        "<style>" * 150_000,
        "<a b=\"c' " * 100_000,
        "<" * 1_000_000,
        "<ul><li>" * 100_000,
        "<b>" * 10_000 + "<div>" * 5_000 + "</b>" * 10_000,
    ],
    ids=lambda html: html[:12],
)
def test_hostile_html_takes_bounded_time(html: str) -> None:
    started = time.process_time()
    html_to_text(html)
    assert time.process_time() - started < 2.0  # a quadratic parser needs 20 s and more; measured here: under 0.6 s
