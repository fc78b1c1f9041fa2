"""The urgent net: what it looks at, what it adds, and that nothing takes its mark away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.composite import DOWN, Told, only
from tests.unit.configuration import load

from cubbyd.classify.protocol import Prediction
from cubbyd.classify.registry import load_classifier
from cubbyd.classify.urgent import UrgentClassifier, UrgentNet, make_net, shipped_themes
from cubbyd.demo.sample_mail import sample_mails
from cubbyd.errors import ClassifierError, ConfigError
from cubbyd.message import ClassifierInput, Flag, ParsedMessage, parse, render, render_text
from cubbyd.message.phrase import normalize_phrase

NET = UrgentNet({"injury": ["bleeding"], "custody": ["court order"]})
THEMES = {"injury", "medication", "custody", "abuse", "not picked up"}


def given(subject: str, text: str = "See above.") -> ClassifierInput:
    return render_text(subject, text)


def themes(config_text: str, tmp_path: Path, text: str) -> tuple[str, ...]:
    net = make_net(load(tmp_path / "c.toml", config_text))
    assert net is not None
    return net.themes_in(given("Hello", text).message)


# --- what it adds -------------------------------------------------------------------------------------------------------


def test_a_mail_with_such_a_phrase_is_marked_with_the_theme_and_keeps_all_else() -> None:
    told = Told()

    marked, plain = UrgentClassifier(NET, told).classify([given("Luke", "He is BLEEDING."), given("Luke", "He is fine.")])

    assert only([marked]).urgent == "the urgent net: injury"
    assert replace(only([marked]), urgent="") == only([plain])
    assert only([plain]).urgent == ""


def test_several_themes_are_all_named_and_each_once() -> None:
    answer = only(UrgentClassifier(NET, Told()).classify([given("Court order", "bleeding, bleeding; court order")]))

    assert answer.urgent == "the urgent net: custody, injury"


class Calm(Told):
    """A classifier that has a mind of its own about what is urgent."""

    says_urgent = "the service refused"

    def classify(self, inputs: object, /) -> list[Prediction | ClassifierError]:
        answers = super().classify(inputs)  # type: ignore[arg-type]
        return [replace(one, urgent=self.says_urgent) if isinstance(one, Prediction) else one for one in answers]


def test_what_a_classifier_finds_urgent_itself_stays_and_the_net_adds() -> None:
    rung, silent = UrgentClassifier(NET, Calm()).classify([given("Luke", "bleeding"), given("Luke")])

    assert only([rung]).urgent == "the service refused; the urgent net: injury"
    assert only([silent]).urgent == "the service refused"


def test_what_is_never_to_be_touched_is_not_marked(tmp_path: Path) -> None:
    rules = '[classifier]\nkind = "rules"\n[[rules]]\nname = "private"\nsubject_words = "board"\nnever_touch = true\n'
    rules += '[[rules]]\nname = "bills"\nsubject_words = "bill"\ncategory = "billing"'
    classifier = load_classifier(load(tmp_path / "c.toml", rules))

    left, decided, unknown = classifier.classify(
        [given("Board", "bleeding"), given("Bill", "bleeding"), given("x", "bleeding")]
    )

    assert only([left]).stays
    assert only([left]).urgent == ""
    assert only([decided]).top == "billing"
    assert only([decided]).urgent == only([unknown]).urgent == "the urgent net: injury"


def test_an_error_stays_the_error_that_it_is() -> None:
    assert list(UrgentClassifier(NET, Told(otherwise=DOWN)).classify([given("Luke", "bleeding")])) == [DOWN]


# --- what it looks at ---------------------------------------------------------------------------------------------------


REPLY = b"From: a@b.example\nSubject: Re: Court order\nIn-Reply-To: <1@b.example>\n\n%s\n\n> He was bleeding.\n"


def test_quoted_mail_and_the_subject_of_an_answer_are_earlier_mail() -> None:
    assert NET.themes_in(parse(REPLY % b"Thank you, all is well again.")) == ()
    assert NET.themes_in(parse(REPLY % b"Now the other one is bleeding.")) == ("injury",)


def test_where_nothing_is_added_the_quoted_mail_is_all_that_there_is() -> None:
    message = parse(REPLY % b"")
    assert not message.text, "or this tests nothing"

    assert NET.themes_in(message) == ("custody", "injury")


def test_a_subject_with_re_that_answers_nothing_counts() -> None:
    message = parse(b"From: a@b.example\nSubject: Re: court order for Luke\n\nPlease see the attachment, thank you.\n")

    assert Flag.REPLY in message.flags
    assert NET.themes_in(message) == ("custody",)


def test_forwarded_mail_counts_and_the_signature_does_not() -> None:
    forwarded = b"Subject: Fwd: Luke\n\n---------- Forwarded message ---------\nFrom: Ann <a@b.example>\nDate: Mon, Nov 2, 2026 at 8:00 AM\nSubject: Luke\nTo: <c@b.example>\n\nHe is bleeding.\n"

    assert NET.themes_in(parse(forwarded)) == ("injury",)
    assert NET.themes_in(ParsedMessage(text="Hello", signature="Court order service")) == ()


def test_text_beyond_what_a_classifier_is_given_counts() -> None:
    long = given("Luke", "word " * 5000 + "bleeding " + "word " * 5000)
    assert "bleeding" not in long.text, "or this tests nothing"

    assert NET.themes_in(long.message) == ("injury",)


# --- the list -----------------------------------------------------------------------------------------------------------


def test_the_shipped_phrases_have_words_in_every_theme_and_none_stands_there_twice() -> None:
    shipped = shipped_themes()

    assert set(shipped) == THEMES
    for theme, phrases in shipped.items():
        assert len(phrases) >= 40, theme
        assert all(phrases), theme


@pytest.mark.parametrize(
    ("theme", "text"),
    [
        ("injury", "Luke hit his head and is bleeding."),
        ("injury", "Lena hat sich am Kinn verletzt und BLUTET."),
        ("injury", "Mateo se hizo daño en el recreo."),
        ("injury", "Chloé s\u2019est fait mal au bras."),
        ("medication", "You gave her the wrong dose."),
        ("medication", "Bitte das Antibiotikum um zwölf Uhr."),
        ("medication", "Le toca el antibiótico a las doce."),
        ("medication", "Son médicament est dans le sac."),
        ("custody", "There is a restraining order against him."),
        ("custody", "Ich habe das alleinige Sorgerecht."),
        ("custody", "Tengo la custodia de mi hija."),
        ("custody", "Son père n'a pas le droit de venir chercher Léo."),
        ("abuse", "She says that a teacher slapped her."),
        ("abuse", "Wir sprechen von Misshandlung."),
        ("abuse", "Un niño le pegó otra vez."),
        ("abuse", "Je soupçonne une maltraitance."),
        ("not picked up", "Emma was not picked up today."),
        ("not picked up", "Ben wurde noch nicht abgeholt!"),
        ("not picked up", "Nadie lo recogió ayer."),
        ("not picked up", "Personne n'est venu le chercher."),
    ],
)
def test_the_shipped_net_knows_four_languages(theme: str, text: str) -> None:
    assert theme in UrgentNet(shipped_themes()).themes_in(given("Hello", text).message)


@pytest.mark.parametrize(
    "text",
    [
        "We will pick up the forms tomorrow.",
        "Does this picture frame fit? My feelings are not the issue.",
        "Er hat heute Nacht gebrochen und bleibt zu Hause.",
        "He left his bear behind, it is brown.",
        "J'ai enlevé son manteau dans la voiture.",
        "Contacto de urgencias: la abuela.",
        "The invoice for the hospital visit is attached.",
    ],
)
def test_what_only_sounds_like_it_does_not_ring(text: str) -> None:
    assert UrgentNet(shipped_themes()).themes_in(given("Hello", text).message) == ()


def test_it_rings_seldom_in_the_sample_mailbox() -> None:
    """Were it to ring for every tenth mail, nobody would look; docs/classifiers/rules.md has the numbers."""
    net = UrgentNet(shipped_themes())
    rung = [bool(net.themes_in(parse(mail.raw))) for mail in sample_mails()]

    assert 1 <= sum(rung) <= len(rung) // 20


# --- what the admin changes -----------------------------------------------------------------------------------------------


def test_it_is_on_and_can_be_switched_off(tmp_path: Path) -> None:
    assert themes("", tmp_path, "He is bleeding.") == ("injury",)
    assert make_net(load(tmp_path / "c.toml", "[urgent]\nenabled = false")) is None


def test_words_are_added_under_a_name_that_does_not_repeat_them(tmp_path: Path) -> None:
    assert themes('[urgent]\nwords = ["gas leak"]', tmp_path, "A gas-leak!") == ("your own words",)


def test_a_phrase_or_a_whole_theme_can_be_taken_out(tmp_path: Path) -> None:
    text = "He is bleeding and injured; custody, court order."

    assert themes('[urgent]\nwithout = ["Bleeding"]', tmp_path, text) == ("custody", "injury")
    assert themes('[urgent]\nwithout = ["bleeding", "injured"]', tmp_path, text) == ("custody",)
    assert themes('[urgent]\nwithout = ["custody", "Not picked up"]', tmp_path, text) == ("injury",)


def test_what_is_not_in_the_list_cannot_be_taken_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        make_net(load(tmp_path / "c.toml", '[urgent]\nwithout = ["bleding"]'))

    (problem,) = caught.value.problems
    assert (problem.key, problem.found) == ("urgent.without", "'bleding'")
    assert "injury" in problem.allowed


def test_every_shipped_phrase_is_found_by_itself() -> None:
    net = UrgentNet(shipped_themes())

    for theme, phrases in shipped_themes().items():
        for phrase in phrases:
            assert phrase == normalize_phrase(phrase)
            assert theme in net.themes_in(render(ParsedMessage(text=f"x {phrase}, x")).message), phrase
