"""Lines of a mail that no person wrote: banners of a mail gateway, legal notices, footers of lists, sponsors and scanners.

They go to the signature, never away. Each rule wants more than one word of such a text, because what a parent writes
("CAUTION: Leo has lice", "This message is confidential: ...") must stay in the text: a banner is a line of known sentences,
one of which says where the mail came from; a notice has two legal phrases; a footer is one of a closed list. The phrases are
English, German, Spanish, French, Italian, Dutch.
"""

from __future__ import annotations

import re

MAX_BANNER_LINES = 12
"""Lines at the top of a mail that may be banners; the longest seen has nine, with its rules and empty lines."""
MAX_WRAPPED_LINES = 5
"""Lines over which one banner may be wrapped."""
MAX_SENTENCES = 10
"""Of a line that may be a banner; a text of more is a person's."""
MAX_LINE_CHARS = 600
"""Of a line that may be a banner; a text of more is a person's."""
MAX_NOTICE_LINES = 60
"""Lines at the end of a text among which legal notices are looked for; several languages of one take up to forty."""
MAX_NOTICE_CHARS = 1_500
"""Of a paragraph in which legal phrases are counted; they come early."""
MAX_FOOTER_CHARS = 200
"""Of a footer's line; more is a paragraph that somebody wrote."""
MAX_SPONSOR_LINES = 10
"""Lines of one sponsor's block."""

_WRAPPED = range(55, 101)  # lengths of a line that a mail program broke, and did not end
_SIGNS = "[({*#!-=\u26a0\ufe0f "

# Where the mail came from; one of these has to be there.
_ORIGIN = re.compile(
    r"[\[({*#! ]+(?:ext|extern|external|externe[rnsm]?|extern[oa]|estern[oa])(?:[ -](?:e-?mail|message|sender|mail"
    r"|nachricht))?[\])}*#! :.]+"
    r"|[\W_]{0,9}(?:external|externe|extern)[ -](?:e-?mail|message|sender|mail|nachricht|absender)[\W_]{0,9}"
    r"|[\W_]{0,9}(?:mensaje|correo|courriel|message|mail|e-?mail|mittente|messaggio)[ -](?:externo|externe|esterno"
    r"|esterna)[\W_]{0,9}"
    r"|(?:this|the) (?:e-?mail|message|sender|mail) (?:has |was |is |has been )?(?:originated|originates|sent|came|comes"
    r"|received|from)"
    r" ?(?:from|by)?,? ?(?:(?:an? |someone |the )?(?:external|unknown)(?:ly)?\b.{0,120}|outside .{0,120})"
    r"|(?:some people who received this message|you) don[\u2019']?t often get e-?mail from \S+@\S+"
    r"|(?:einige personen, die diese nachricht erhalten haben, erhalten|sie erhalten) .{0,12}(?:oft|h[äa]ufig|selten)"
    r" (?:eine? )?e-?mails? von \S+@\S+"
    r"|(?:diese|die) (?:e-?mail|nachricht|mail) (?:stammt|kommt|wurde) .{0,40}(?:extern|au(?:ß|ss)erhalb).{0,120}"
    r"|(?:vous|certaines personnes) .{0,60}pas souvent .{1,60}\S+@\S+"
    r"|(?:ce|cet) (?:message|courriel|e-?mail|mail) (?:provient|vient|a [ée]t[ée] (?:envoy[ée]|re[çc]u)"
    r"|[ée]mane) .{0,60}(?:ext[ée]rieur|externe).{0,80}"
    r"|(?:algunas personas .{0,40})?no suelen? recibir .{1,60}\S+@\S+"
    r"|este (?:correo(?: electr[óo]nico)?|mensaje|e-?mail) (?:proviene|procede|se origin[óo]|fue enviado|ha sido enviado|viene)"
    r" .{0,60}(?:extern|fuera|exterior).{0,80}"
    r"|(?:alcuni .{0,40})?non (?:si ricevono|ricevi|ricevono) spesso .{1,60}\S+@\S+"
    r"|quest[oa] (?:messaggio|e-?mail|mail) (?:proviene|[èe] stat[oa] inviat[oa]|arriva) .{0,60}estern.{0,80}"
    r"|(?:u|je|sommige .{0,40}) (?:ontvangt|krijgt|ontvangen|krijgen) niet vaak e-?mail .{0,40}\S+@\S+"
    r"|(?:deze|dit) (?:e-?mail|bericht|mail) (?:is|komt) .{0,40}(?:extern|buiten).{0,80}",
    re.IGNORECASE,
)
# What such banners also say; never enough alone, as a parent may say the like.
_ADVICE = re.compile(
    r"[\W_]{0,9}(?:external )?(?:caution|warning|attention|notice|security notice|achtung|vorsicht|warnung|hinweis|atenci[óo]n"
    r"|precauci[óo]n"
    r"|aviso|advertencia|attenzione|avviso|let op|waarschuwing|opgelet)[\W_]{0,9}"
    r"|(?:please )?(?:learn why this is important|power by|report suspicious)\b.{0,80}"
    r"|(?:please )?(?:do not|don[\u2019']t|never|avoid|use caution|exercise caution|be (?:careful|cautious)|stop and think"
    r"|think before)"
    r" .{0,60}(?:click|link|attachment|credential|password).{0,160}"
    r"|(?:please )?(?:verify|check|confirm) the sender.{0,100}|report (?:any )?(?:suspicious|phishing).{0,100}"
    r"|(?:erfahren sie|weitere informationen), warum dies wichtig ist.{0,80}"
    r"|(?:bitte )?(?:klicken|[öo]ffnen) sie .{0,40}(?:link|anh[äa]ng|anlage).{0,160}"
    r"|(?:pourquoi c[\u2019']est important|d[ée]couvrez pourquoi|d[ée]couvrir pourquoi).{0,80}|(?:ne cliquez"
    r"|n[\u2019']ouvrez) .{0,160}"
    r"|(?:por qu[ée] (?:esto )?es (?:esto )?importante|descubra por qu[ée]|obtenga m[áa]s).{0,80}"
    r"|no (?:haga|hagas|abra|pulse) .{0,30}(?:clic|enlace|adjunto|archivo).{0,160}"
    r"|(?:informazioni sul perch[ée]|scopri perch[ée]) .{0,80}|non (?:cliccare|fare clic|aprire) .{0,160}"
    r"|(?:meer informatie over waarom|ontdek waarom|lees waarom) .{0,80}|(?:klik niet op|open geen) .{0,160}"
    r"|<?https?:\S{1,300}",
    re.IGNORECASE,
)
_BANNER_STARTS = (
    *("ext", "caution", "warning", "attention", "security", "notice", "this ", "the ", "some people", "you don"),
    *("achtung", "vorsicht", "warnung", "hinweis", "einige", "sie erhalten", "diese ", "die "),
    *("mensaje", "correo", "atenci", "precauci", "aviso", "advertencia", "algunas", "no suele", "este "),
    *("vous ", "certaines", "ce ", "cet ", "courriel", "message", "mail", "email", "e-mail"),
    *("mittente", "messaggio", "alcuni", "non ", "quest", "attenzione", "avviso"),
    *("u ", "je ", "sommige", "deze ", "dit ", "let op", "waarschuwing", "opgelet"),
)
_SENTENCE_END = re.compile(r"(?<=[.!:])\s+|(?<=\])\s*(?=\S)")
_RULE = re.compile(r"[-_=*~#]{3,100}")

_NOTICE_STARTS = (
    *("confidential", "legal ", "disclaimer", "privacy", "this e", "this m", "this communication", "this transmission"),
    *("the information", "the content", "if you ", "any ", "email transmission", "e-mail transmission", "please consider"),
    *("vertraulich", "rechtlich", "haftung", "datenschutz", "diese ", "der inhalt", "die in dies", "die information"),
    *("sollten sie nicht", "wenn sie nicht", "falls sie nicht"),
    *("aviso", "confidencial", "cláusula", "clausula", "este ", "el contenido", "la información", "la informacion", "si "),
    *("avis de", "avertissement", "confidentialit", "ce ", "cet ", "le contenu", "les informations"),
    *(
        "avviso",
        "riservat",
        "informativa",
        "clausola",
        "quest",
        "il presente",
        "il contenuto",
        "la presente",
        "le informazioni",
    ),
    *("ai sensi", "dit ", "deze ", "de inf", "de inh", "aan dit", "indien u", "als u niet"),
)
_HEADING = re.compile(
    r"\W{0,3}(?:confidentiality|confidential|legal (?:notice|disclaimer)|disclaimer|privacy notice|vertraulichkeitshinweis"
    r"|rechtlicher hinweis"
    r"|haftungsausschluss|datenschutzhinweis|aviso (?:legal|de confidencialidad)|confidencialidad"
    r"|cl[áa]usula de confidencialidad"
    r"|avis de confidentialit[ée]|avertissement|confidentialit[ée]|avviso di riservatezza|riservatezza"
    r"|clausola di riservatezza)"
    r"(?: notice| note| statement)?\W{0,4}(?:$|:|-|\u2013)",
    re.IGNORECASE,
)
# Each group is one legal idea; two of them make a notice.
_LEGAL = re.compile(
    r"(?P<secret>confidential|vertraulich|confidencial|confidentiel|riservat|vertrouwelijk)"
    r"|(?P<privileged>privileged|gesch[üu]tzt|privilegiad|privil[ée]gi)"
    r"|(?P<addressee>intended (?:only|solely|recipient|for the (?:sole|exclusive|use))|addressee|(?:richtige"
    r"|bestimmungsgem[äa](?:ß|ss)e|vorgesehene"
    r"|beabsichtigte)[nr]? (?:adressat|empf[äa]nger)|ausschlie(?:ß|ss)lich f[üu]r|destinatari|destinataire|geadresseerde"
    r"|bestemd voor)"
    r"|(?P<error>in error\b|by mistake|irrt[üu]mlich|versehentlich|por error|par erreur|per errore|per vergissing|abusievelijk"
    r"|ten onrechte)"
    r"|(?P<forbidden>unauthori[sz]ed|prohibited|unlawful|unbefugt|nicht gestattet|unerlaubt|untersagt|prohibid|interdit|vietat"
    r"|proibit|no autorizad"
    r"|non autoris|niet toegestaan|onrechtmatig|verboden)"
    r"|(?P<destroy>\b(?:delete|destroy) (?:it|this|the|all)|(?:l[öo]schen|vernichten) sie|zu l[öo]schen|elim[ií]n|b[óo]rre"
    r"|destru|d[ée]truire|supprimer"
    r"|cancellar|distrugger|te verwijderen|te vernietigen|verwijder)"
    r"|(?P<notify>notify (?:the sender|us)|contact the sender|informieren sie|notifi|avertir l|pr[ée]venir l|avvisar"
    r"|informa(?:re|te) il mittente|afzender)"
    r"|(?P<liable>disclos|dissemination|liab(?:le|ility)|haftung|responsabili|aansprakelijk)"
    r"|(?P<law>2016/679|gdpr|rgpd|dsgvo|196/2003)|(?P<paper>before printing|consider the environment)",
    re.IGNORECASE,
)
_ENOUGH = 2
_SHORTEST_NOTICE = 75
_PERSONAL = re.compile(r"\b(?:I|I[\u2019']m|my|[Ii]ch|[Mm]eine?[mnrs]?|ik|mijn|[Mm]on|[Mm]es)\b")

_SCANNED = re.compile(
    r"(?:virus[- ]?free|virenfrei|sin virus|libre de virus|(?:garanti )?sans virus|privo di virus|virusvrij|livre de v[íi]rus"
    r"|wolny od wirus[óo]w)\.?(?: ?<?(?:https?://)?(?:www\.)?(?:avast|avg)\.com\S*)?"
    r"|.{0,60}(?:checked for viruses|scanned for viruses|virus scanned|certified virus free|auf viren (?:gepr[üu]ft|untersucht)"
    r"|(?:busca|libre) de virus|comprobado.{0,20}virus|(?:analys|v[ée]rifi)[ée].{0,20}virus|controllat[ao].{0,20}virus"
    r"|gecontroleerd op virus).{0,100}"
    r"|no virus found in this (?:incoming |outgoing )?message\.?|version: [\d.]{3,20} / virus database: .{0,60}",
    re.IGNORECASE,
)
_FOOTER = re.compile(
    r"checked by avg.{0,80}|<?(?:https?://)?www\.(?:avast|avg)\.com\S*"
    r"|you(?:[\u2019']re| are) (?:currently )?(?:receiving this|subscribed) .{0,120}"
    r"|you received this (?:message|e-?mail) because .{0,160}"
    r"|to unsubscribe(?:,| from| send| click|:).{0,160}|to (?:view|visit) this discussion.{0,160}"
    r"|for more options, visit .{0,100}"
    r"|yahoo mail: search, organize, conquer.{0,80}"
    r"|do you yahoo!\?.{0,40}|get your free e-?mail .{0,60}|join the world[\u2019']s largest e-mail service.{0,60}"
    r"|msn photos is the easiest.{0,80}|this sf\.net email is sponsored by.{0,100}"
    r"|your use of yahoo! groups is subject .{0,80}",
    re.IGNORECASE,
)
_FOOTER_STARTS = (
    "yahoo mail: search",
    *("checked by", "www.av", "<http", "http", "you received", "you are ", "you\u2019re", "you're", "your use", "to unsub"),
    *("to view", "to visit", "for more options", "do you yahoo", "get your free", "join the world", "msn ", "this sf.net"),
)
# One of these is in every notice of two legal ideas; most lines that begin like a notice are told by them alone.
_LEGAL_HINTS = (
    *("confiden", "vertraul", "riserva", "vertrouw", "privil", "intended", "addressee", "empfänger", "adressat", "destinat"),
    *("geadresseerde", "error", "erreur", "mistake", "irrt", "versehentlich", "prohib", "environment", "liab", "disclos"),
    *("haftung", "unbefugt", "verboden", "responsab", "2016/679", "gdpr", "rgpd", "dsgvo"),
)
# The first three letters of all these, to tell ordinary lines quickly; and of lines about a scanner.
_KEYS = frozenset(start[:3] for start in _FOOTER_STARTS + _NOTICE_STARTS)
_KEYS |= {
    "vir",
    "sin",
    "lib",
    "san",
    "gar",
    "pri",
    "liv",
    "wol",
    "no ",
    "ver",
    "out",
    "inc",
    "el ",
    "l'a",
    "e-m",
    "ema",
    "ava",
    "die",
    "thi",
}
_GOES_ON = re.compile(r"(?:to unsubscribe|this sf\.net).*:$", re.IGNORECASE)
_SPONSOR = re.compile(r"-{5,60} ?.{0,40}sponsor.{0,10}-{5,60}\S{0,5}", re.IGNORECASE)
_SPONSOR_END = re.compile(r"-{20,100}\S{0,5}")


def cut_banners(lines: list[str]) -> tuple[list[str], list[str]]:
    """Cut the banners of mail gateways off the top of a text: they, and what is below them."""
    position = next((number for number, line in enumerate(lines) if line), 0)
    if not lines or not _may_be_banner(lines[position]):
        return [], lines
    end, has_origin = 0, False
    limit = min(len(lines), position + MAX_BANNER_LINES)
    while position < limit:
        if not lines[position] or ((end or has_origin or position == 0) and _RULE.fullmatch(lines[position])):
            position += 1
            continue
        count, tells = _banner_at(lines, position, limit)
        if not count:
            break
        position += count
        end, has_origin = position, has_origin or tells
    if not has_origin:
        return [], lines
    while end < len(lines) and (not lines[end] or _RULE.fullmatch(lines[end])):
        end += 1
    return lines[:end], lines[end:]


def _may_be_banner(line: str) -> bool:
    return line[:40].lstrip(_SIGNS).lower().startswith(_BANNER_STARTS) or bool(_RULE.fullmatch(line))


def _banner_at(lines: list[str], position: int, limit: int) -> tuple[int, bool]:
    """Count the lines of the banner that begins here, 0 where none does, and tell whether it says where the mail came from."""
    best = (0, False)
    joined = ""
    for count in range(1, MAX_WRAPPED_LINES + 1):
        line = lines[position + count - 1] if position + count <= limit else ""
        if not line or (joined and not (line[0].islower() and len(lines[position + count - 2]) in _WRAPPED)):
            break
        joined = f"{joined} {line}".lstrip()
        if (tells := _is_banner(joined)) is not None:
            best = (count, tells)
    return best


def _is_banner(text: str) -> bool | None:
    """Tell whether a banner says where the mail came from; None where the text is no banner."""
    if len(text) > MAX_LINE_CHARS:
        return None
    sentences = [sentence for sentence in _SENTENCE_END.split(text, MAX_SENTENCES) if sentence]
    origins = [bool(_ORIGIN.fullmatch(sentence)) for sentence in sentences]
    if not all(origin or _ADVICE.fullmatch(sentence) for origin, sentence in zip(origins, sentences, strict=True)):
        return None
    return any(origins)


def cut_footers(lines: list[str]) -> tuple[list[str], list[str]]:
    """Cut footers of sponsors, lists and scanners, and legal notices out of a text: what is left, and they."""
    starts = [n for n, line in enumerate(lines) if line and (line[:3].lower() in _KEYS or not line[0].isalnum())]
    if not starts:
        return lines, []
    first = next(position for position, line in enumerate(lines) if line)
    notices_from = max(first + 1, len(lines) - MAX_NOTICE_LINES)
    kept: list[str] = []
    cut: list[str] = []
    done = 0
    for position in starts:
        if position < done:
            continue
        end = _end_of_footer(lines, position)
        if end == position and position >= notices_from:
            end = _end_of_notice(lines, position)
        if end > position:
            kept += lines[done:position]
            cut += lines[position:end]
            done = end
    return ([*kept, *lines[done:]], cut) if cut else (lines, cut)


def _names_virus(line: str) -> bool:
    return "vir" in line or "Vir" in line or "vír" in line


def _end_of_footer(lines: list[str], position: int) -> int:
    """Give the line after a footer that begins here; the line itself where none does."""
    line = lines[position]
    if not (_names_virus(line) or line.startswith("-----") or line[:24].lower().startswith(_FOOTER_STARTS)):
        return position
    if _SPONSOR.fullmatch(line):
        for after in range(position + 1, min(len(lines), position + MAX_SPONSOR_LINES)):
            if _SPONSOR_END.fullmatch(lines[after]):
                return after + 1
        return position
    if len(line) > MAX_FOOTER_CHARS or not ((_names_virus(line) and _SCANNED.fullmatch(line)) or _FOOTER.fullmatch(line)):
        return position
    goes_on = _GOES_ON.fullmatch(line) and position + 1 < len(lines)
    return position + 2 if goes_on and ("@" in lines[position + 1] or "http" in lines[position + 1]) else position + 1


def _end_of_notice(lines: list[str], position: int) -> int:
    """Give the line after a legal notice that begins here; the line itself where none does."""
    if not lines[position][:24].lstrip(_SIGNS).lower().startswith(_NOTICE_STARTS):
        return position
    stop = next((number for number in range(position, len(lines)) if not lines[number]), len(lines))
    is_heading = bool(_HEADING.match(lines[position]))
    if is_heading and stop == position + 1 and len(lines[position]) <= _SHORTEST_NOTICE:
        stop = next((number for number in range(stop + 1, len(lines)) if not lines[number]), len(lines))
    text = " ".join(filter(None, lines[position:stop]))[:MAX_NOTICE_CHARS]
    lowered = text.lower()
    if not (is_heading or any(hint in lowered for hint in _LEGAL_HINTS)):
        return position
    ideas = {match.lastgroup for match in _LEGAL.finditer(text)}
    if len(ideas) < _ENOUGH - is_heading or len(text) < _SHORTEST_NOTICE - 25 * is_heading or _PERSONAL.search(text):
        return position
    end = position + 1
    while end < stop and (not lines[end] or _belongs(lines, end)):
        end += 1
    return end


def _belongs(lines: list[str], position: int) -> bool:
    """Tell whether a line goes on with the notice above it: wrapped, or of its kind. HTML leaves no empty line between."""
    above = lines[position - 1]
    is_wrapped = len(above) in _WRAPPED and above[-1] not in ".!?"
    return is_wrapped or not above or bool(_LEGAL.search(lines[position]))
