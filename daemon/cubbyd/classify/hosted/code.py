"""The `code` mode: the model answers with one code, and the log probabilities of the codes are the probabilities.

For models that were fine-tuned to do so, for legacy completion models (one prompt that ends with a separator), and for servers
without /decisions that give log probabilities. The first token that is no blank decides: its likeliest alternatives that are
codes have their own mass, with and without a blank before them. What is missing from 1, tokens that are no code and codes
beyond the 20 (in completions 5) that a server lists, is doubt, and all categories have an equal share of it.

Letters are one token each in the tokenizers that were looked at; numbers up to 999 are in OpenAI's, and several in others
(one for each digit), where the product of those that were written counts, and the rest is doubt.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cubbyd.classify.hosted.answer import Reply, Usage, add_doubt, read_usage, spread
from cubbyd.classify.hosted.chat import CHAT, COMPLETIONS, Token, read_choice
from cubbyd.classify.hosted.failure import Event
from cubbyd.classify.hosted.prompt import Prompt
from cubbyd.config import OpenAISection
from cubbyd.config.hosted import Codes, Endpoint, Mode
from cubbyd.taxonomy import CategoryId, Taxonomy

LETTERS: Final = string.ascii_uppercase + string.ascii_lowercase
MOST_LETTERS: Final = len(LETTERS)
LARGEST_NUMBER: Final = 999
LETTER_TOKENS: Final = 1
NUMBER_TOKENS: Final = 4
"""Enough for three digits, a token each, and one more by which the end of the number is known."""
CHAT_ALTERNATIVES: Final = 20
COMPLETION_ALTERNATIVES: Final = 5
"""The most that the API takes."""
SUM_TOLERANCE: Final = 0.01

_NUMBER: Final = re.compile(r"[1-9][0-9]*")


class Code:
    """Asks for one code."""

    way: str = Mode.CODE

    def __init__(self, section: OpenAISection, prompt: Prompt, codes: Mapping[CategoryId, str] | None = None) -> None:
        """Take the model's name, the closed set, and the codes where they are those of a wider question."""
        self._section, self._prompt = section, prompt
        self.categories = prompt.categories
        self._codes = make_codes(prompt.taxonomy, section.codes) if codes is None else codes
        asked = self.categories if section.instructions else tuple(self._codes)  # without them a model knows all it learned
        self._by_code = {self._codes[category]: category for category in asked}
        self._is_chat = section.endpoint is Endpoint.CHAT
        self.endpoint = CHAT if self._is_chat else COMPLETIONS
        self.output_tokens = LETTER_TOKENS if section.codes is Codes.LETTERS else NUMBER_TOKENS
        self._instructions = prompt.code_instructions(self._codes) if section.instructions else ""

    def body(self, mail: str) -> dict[str, Any]:
        """Make the request about one mail."""
        section = self._section
        body: dict[str, Any] = {"model": section.model, "temperature": 0}
        if not self._is_chat:
            body |= {"prompt": self._prompt_text(mail), "max_tokens": self.output_tokens}
            return body | ({"logprobs": COMPLETION_ALTERNATIVES} if section.logprobs else {})
        told = [{"role": "system", "content": self._instructions}] if self._instructions else []
        body |= {"messages": [*told, {"role": "user", "content": mail}], str(section.max_tokens_field): self.output_tokens}
        if section.store_field:
            body["store"] = False
        if section.effort:
            body["reasoning_effort"] = section.effort
        return body | ({"logprobs": True, "top_logprobs": CHAT_ALTERNATIVES} if section.logprobs else {})

    def narrow(self, categories: Sequence[CategoryId]) -> Code:
        """Make the same question about some of the categories; each keeps its code."""
        return Code(self._section, self._prompt.narrow(categories), self._codes)

    def read(self, reply: Reply) -> dict[CategoryId, float]:
        """Read the probabilities. Raises Failure for a refusal and for whatever is none of the codes."""
        said = read_choice(reply)
        text = (said.text or "").strip()
        if said.is_cut and not said.text:
            raise reply.odd(Event.CUT)
        code = self._leading_code(text)
        if code is None:
            raise reply.odd(Event.INVALID)
        if said.is_cut and text == code and self._section.codes is Codes.NUMBERS:
            raise reply.odd(Event.CUT)  # more digits might have come
        masses = None if said.tokens is None else self._masses(code, said.tokens)
        if masses is not None:
            return add_doubt(self.categories, {category: masses.get(category, 0.0) for category in self.categories})
        chosen = self._by_code[code]
        if chosen in self.categories:
            return spread(self.categories, chosen, self._section.schema_probability)
        return add_doubt(self.categories, {})

    def spell(self, right: Sequence[CategoryId]) -> str:
        """Give the answer that a model is taught for a mail of one category. Raises ValueError where there are several."""
        if len(right) != 1:
            raise ValueError("has several labels, and a code says one")
        return self._codes[right[0]]

    def usage(self, reply: Reply) -> Usage:
        """Read what the call took."""
        return read_usage(reply, "prompt_tokens", "completion_tokens")

    def _prompt_text(self, mail: str) -> str:
        separator = self._section.separator
        while separator in mail:  # taking one out can make another of what stood around it
            mail = mail.replace(separator, " ")
        return f"{self._instructions}\n\n{mail}{separator}" if self._instructions else f"{mail}{separator}"

    def _leading_code(self, text: str) -> str | None:
        """Read the code at the beginning; it must end there, or before a blank or a sign."""
        found = _NUMBER.match(text) if self._section.codes is Codes.NUMBERS else re.match(r"[A-Za-z]", text)
        if found is None or found[0] not in self._by_code or text[found.end() : found.end() + 1].isalnum():
            return None
        return found[0]

    def _masses(self, code: str, tokens: Sequence[Token]) -> dict[CategoryId, float] | None:
        """Give the probability of each code at its place; None where the tokens do not spell what was said."""
        written = [token for token in tokens if token.text.strip()]
        if not written or not "".join(token.text.strip() for token in written).startswith(code):
            return None
        first = written[0]
        if first.text.strip() != code:
            return self._product(code, written)
        masses: dict[CategoryId, float] = {}
        for text, logprob in {first.text: first.logprob, **first.others}.items():
            category = self._by_code.get(text.strip())
            if category is not None:
                masses[category] = masses.get(category, 0.0) + math.exp(logprob)
        return masses if sum(masses.values()) <= 1.0 + SUM_TOLERANCE else None

    def _product(self, code: str, written: Sequence[Token]) -> dict[CategoryId, float] | None:
        """Multiply the probabilities of the tokens that spell a code of several, the beginning of more than that included."""
        spelled, total = "", 0.0
        for token in written:
            if len(spelled) >= len(code):
                break
            spelled, total = spelled + token.text.strip(), total + token.logprob
        return {self._by_code[code]: math.exp(min(total, 0.0))} if spelled.startswith(code) else None


def make_codes(taxonomy: Taxonomy, codes: Codes) -> dict[CategoryId, str]:
    """Give each category its code. Raises ValueError, for people, where there are not enough that are one token."""
    if codes is Codes.NUMBERS:
        large = [category.id for category in taxonomy if category.code > LARGEST_NUMBER]
        if large:
            raise ValueError(
                f'mode = "code" with codes = "numbers" takes codes up to {LARGEST_NUMBER}, which are one token, and category '
                f'{large[0]!r} has a larger one; set mode = "decisions" or "schema"'
            )
        return {category.id: str(category.code) for category in taxonomy}
    if len(taxonomy) > MOST_LETTERS:
        raise ValueError(
            f'mode = "code" has {MOST_LETTERS} letters, and {len(taxonomy)} categories are given; '
            'set mode = "decisions" or "schema", or codes = "numbers"'
        )
    return dict(zip(taxonomy.ids, LETTERS, strict=False))
