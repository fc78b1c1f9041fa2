"""The message side: raw bytes of a mail to the text that a classifier is given. Pure: no I/O, no clock, no logging.

    bytes -> parse -> ParsedMessage -> render -> ClassifierInput
    subject, body of an example -> render_text -> ClassifierInput

Both ways run through the same code from the decoded text on, so that a model is trained on what it will be served.

    parser    the way through all of it; total: whatever the bytes are, a ParsedMessage comes out
    header    fields, encoded words (RFC 2047), parameters (RFC 2231), addresses, dates
    part      the MIME tree          contents  what its parts hold: text, attachments, attached mails
    body      which part is the text html      HTML to lines
    transfer  transfer encodings     charset   bytes to text, where labels lie
    flowed    soft lines joined      inline    files inside the text
    sealed    signed and encrypted   calendar  what an invitation says
    unicode   one spelling for text  link      targets of links, dropped
    marker    what imitates our own marks
    quote     new text and quoted text, by what opens earlier mail (opening) and odd marks (mark)
    signature where a text ends and its signature begins; what no person wrote (notice)
    subject   reply and forward prefixes       special   flags that headers tell
    render    the classifier's view            identity  which mail is which
    language  for people who look at mail      model     the values
    own       mail that cubbyd wrote itself
"""

from cubbyd.message.model import Address, Attachment, ClassifierInput, Flag, ParsedMessage
from cubbyd.message.parser import parse
from cubbyd.message.render import RENDERER_VERSION, render, render_text

__all__ = [
    "RENDERER_VERSION",
    "Address",
    "Attachment",
    "ClassifierInput",
    "Flag",
    "ParsedMessage",
    "parse",
    "render",
    "render_text",
]
