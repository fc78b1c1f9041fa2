"""A text that names nobody: masks the texts of one mail together, so that a person has one placeholder in all of them.

    shapes -> postal addresses -> roster -> header -> cues and lists of names -> the same words elsewhere -> one span each
    -> placeholders -> a last look

What is masked is gone: there is no table that leads back. It is pseudonymization in the sense of the GDPR, not anonymization:
a rare event can name a family without any name (docs/redaction.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from cubbyd.message.model import Address, Attachment, ParsedMessage
from cubbyd.redaction.address import find_addresses
from cubbyd.redaction.known import is_meant, know, leaks_in
from cubbyd.redaction.lexicon import EVERYDAY, Lexicon
from cubbyd.redaction.model import PEOPLE, Finder, Kind, Redacted, Span
from cubbyd.redaction.pattern import find_patterns
from cubbyd.redaction.person import Recognizer
from cubbyd.redaction.roster import Roster, fold
from cubbyd.redaction.token import Token, tokenize
from cubbyd.redaction.vocabulary import LANGUAGES, NOTHING, Vocabulary

MAX_TEXT_CHARS = 20_000
"""Characters of one text; the rest is cut off, since what was not looked at must not leave. No backend is given as many."""

SAMPLE_WORDS = 150
"""Words from which the language is told."""
CLOSE_SECOND = 0.9
"""A language that knows so much of what the best one knows may be it too."""

_RANK = {finder: rank for rank, finder in enumerate(Finder)}


class Redactor:
    """Masks mails of one facility. Thread-safe: everything that belongs to one mail is made for it."""

    def __init__(self, roster: Roster | None = None, vocabulary: Vocabulary = NOTHING, keep: Iterable[str] = ()) -> None:
        """Take the roster, the lists of names and words, and words that are never names (rooms, products, the facility)."""
        self.roster = roster or Roster()
        self.vocabulary = vocabulary
        self.keep = frozenset(fold(word) for entry in keep for word in entry.split()) - set(self.roster.parts)

    def mask(self, texts: Sequence[str], people: Iterable[Address] = (), written: date | None = None) -> Redacted:
        """Mask the texts of one mail; people are those in its header, written is its day. Never raises."""
        texts = [text[:MAX_TEXT_CHARS] for text in texts]
        tokens = [tokenize(text) for text in texts]
        lexicon = Lexicon(self.vocabulary, self.keep, self._languages(tokens))
        recognizer = Recognizer(lexicon)
        known = know(self.roster, people, lexicon)
        found = [
            [*find_patterns(text, written), *find_addresses(text), *known.find(words, lexicon), *recognizer.find(words)]
            for text, words in zip(texts, tokens, strict=True)
        ]
        merged = [
            _merge(text, [*spans, *_repeats(words, recognizer)])
            for text, words, spans in zip(texts, tokens, found, strict=True)
        ]
        names = _placeholders(texts, merged)
        masked = tuple(_replace(text, spans, names) for text, spans in zip(texts, merged, strict=True))
        blanked = (_replace(text, spans, None) for text, spans in zip(texts, merged, strict=True))
        return Redacted(texts=masked, spans=tuple(map(tuple, merged)), leaks=leaks_in(blanked, known, lexicon))

    def redact(self, message: ParsedMessage) -> tuple[ParsedMessage, Redacted]:
        """Mask a parsed mail: subject, text, quoted mail, signature, names of attachments, the sender.

        Addresses, Message-IDs, the list's name and the header's fields are taken out. The second value says what was masked,
        text by text in that order, and what the last check found.
        """
        people = (message.sender, *message.to, *message.cc, *message.reply_to)
        files = [attachment.name for attachment in message.attachments]
        texts = (message.subject, message.text, message.quoted, message.signature, message.sender.name, *files)
        done = self.mask(texts, people, message.date.date() if message.date else None)
        subject, text, quoted, signature, sender, *names = done.texts
        redacted = replace(
            message,
            subject=subject,
            text=text,
            quoted=quoted,
            signature=signature,
            sender=Address(name=sender),
            to=(),
            cc=(),
            reply_to=(),
            message_id="",
            references=(),
            list_id="",
            headers={},
            attachments=tuple(
                Attachment(name=name, content_type=attachment.content_type)
                for name, attachment in zip(names, message.attachments, strict=True)
            ),
        )
        return redacted, done

    def _languages(self, tokens: Sequence[Sequence[Token]]) -> frozenset[str]:
        """Tell the languages that know the words typed in lower case; all where none stands out."""
        sample = [token.lower for words in tokens for token in words if not token.is_capitalized][:SAMPLE_WORDS]
        if not sample or not self.vocabulary.words:
            return frozenset(LANGUAGES)
        known = {language: sum(word in words for word in sample) for language, words in self.vocabulary.words}
        best = max(known.values())
        return frozenset(language for language, count in known.items() if count >= CLOSE_SECOND * best)


def _repeats(tokens: Sequence[Token], recognizer: Recognizer) -> Iterable[Span]:
    """Find the names that were found elsewhere in the mail."""
    for token in tokens:
        forms = (token.folded, token.folded[:-1]) if token.folded.endswith("s") else (token.folded,)
        name = next((form for form in forms if form in recognizer.found), None)
        if name is None or not is_meant(token, recognizer.lexicon):
            continue
        if token.opens and recognizer.lexicon.count(token) > EVERYDAY:
            continue
        yield Span(start=token.start, end=token.end, kind=recognizer.found[name], finder=Finder.REPEAT, key=name)


def _merge(text: str, spans: list[Span]) -> list[Span]:
    """Make spans that overlap one, which is what the finder that knows most says it is."""
    merged: list[Span] = []
    for span in sorted((span for span in spans if span.start < span.end), key=lambda span: (span.start, -span.end)):
        if not merged or span.start >= merged[-1].end:
            merged.append(span)
            continue
        last = merged[-1]
        better = min((last, span), key=lambda one: (_RANK[one.finder], -(one.end - one.start), one.start))
        merged[-1] = replace(better, start=last.start, end=max(last.end, span.end))
    return [span if span.key else replace(span, key=" ".join(fold(text[span.start : span.end]).split())) for span in merged]


def _placeholders(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> dict[tuple[bool, str], str]:
    """Number what was found, in the order of the mail: one placeholder for one person or thing, of the most telling kind."""
    alias: dict[str, str] = {}
    kinds: dict[tuple[bool, str], Kind] = {}
    for text, some in zip(texts, spans, strict=True):
        for span in some:
            identity = _identity(text, span, alias)
            kinds[identity] = min(kinds.get(identity, span.kind), span.kind, key=list(Kind).index)
    counts: dict[Kind, int] = {}
    names: dict[tuple[bool, str], str] = {}
    for identity, kind in kinds.items():
        counts[kind] = counts.get(kind, 0) + 1
        names[identity] = f"[{kind}_{counts[kind]}]"
    for word, key in alias.items():
        names.setdefault((True, word), names[True, key])
    return names


def _identity(text: str, span: Span, alias: dict[str, str]) -> tuple[bool, str]:
    """Tell who or what a span is; a last name alone is whoever bore it first in this mail."""
    if span.kind not in PEOPLE:
        return False, span.key
    key = alias.get(span.key, span.key)
    for word in fold(text[span.start : span.end]).replace(".", " ").split():
        alias.setdefault(word, key)
    alias.setdefault(span.key, key)
    return True, key


def _replace(text: str, spans: Sequence[Span], names: dict[tuple[bool, str], str] | None) -> str:
    """Put placeholders where the spans are; blanks where names is None."""
    pieces: list[str] = []
    position = 0
    for span in spans:
        pieces.append(text[position : span.start])
        pieces.append(" \u00b7 " if names is None else names[span.kind in PEOPLE, span.key])
        position = span.end
    return "".join([*pieces, text[position:]])
