"""Lines of a mail that no person wrote: banners of a mail gateway, legal notices, footers of lists, sponsors and scanners.

They go to the signature, never away. Each rule wants more than one word of such a text, because what a parent writes
("CAUTION: Leo has lice", "This message is confidential: ...") must stay in the text: a banner is a line whose every sentence is
known, a notice has two legal phrases, a footer is one of a closed list. English, German, Spanish, French, Italian, Dutch.
"""

from __future__ import annotations

import re

MAX_BANNER_LINES = 12
"""Lines at the top of a mail that may be banners; the longest seen has nine, with its rules and empty lines."""
MAX_SENTENCES = 12
"""Of one line that may be a banner; a text of more is a person's."""
MAX_NOTICE_CHARS = 1_500
"""Of a paragraph in which legal phrases are counted; they come early."""
MAX_LINE_CHARS = 2_000
"""Of a line that may be a notice: HTML puts a whole paragraph on one."""

_WHO = r"(?:an?|einem|einer|de|d'|da|dal|van|een|un|una|von)"
_BANNER_WORDS = (
    # tags and headings
    r"[\[({*#!\s]*(?:ext|extern|external|externe|externo|externa|esterno|esterna)(?:e[nrs]?)?"
    r"(?:[ -](?:e-?mail|message|sender|mail|nachricht|absender))?[\])}*#!\s:.]*",
    r"[\[({*#!\s]*(?:mensaje|correo|courriel|message|mail|e-?mail|mittente|messaggio)[ -](?:externo|externe|esterno|esterna)"
    r"[\])}*#!\s:.]*",
    r"[\[({*#!\s\u26a0\ufe0f]*(?:external )?(?:caution|warning|attention|notice|security notice|achtung|vorsicht|warnung|hinweis"
    r"|atenci[óo]n|precauci[óo]n|aviso|advertencia|attenzione|avviso|let op|waarschuwing|opgelet)[\])}*#!\s:.-]*(?:external e-?mail[.!]?)?",
    # who it is from
    r"(?:this|the) (?:e-?mail|message|sender|mail) (?:has |was |is |has been )?(?:originated|originates|sent|came|comes|received|coming|from)"
    r" ?(?:from|by)?,? ?(?:(?:a |an |someone |the )?(?:external|outside)(?:ly)?\b.{0,120}|outside .{0,120})",
    r"this (?:e-?mail|message) is from an? (?:external|unknown) .{0,80}",
    r"(?:some people who received this message|you) don[\u2019']?t often get e-?mail from .{1,120}",
    r"(?:einige personen, die diese nachricht erhalten haben, erhalten|sie erhalten) (?:nicht (?:oft|h[äa]ufig)|selten)"
    r" (?:eine? )?e-?mails? von .{1,120}",
    r"(?:diese|die) (?:e-?mail|nachricht|mail) (?:stammt|kommt|wurde) .{0,40}(?:extern|au(?:ß|ss)erhalb).{0,120}",
    r"(?:externe|extern) (?:e-?mail|nachricht)[.!:]*",
    r"(?:vous|certaines personnes qui ont re[çc]u ce message|il est possible que vous) .{0,40}pas souvent .{1,160}",
    r"(?:ce|cet) (?:message|courriel|e-?mail|mail) (?:provient|vient|a [ée]t[ée] (?:envoy[ée]|re[çc]u)|[ée]mane) .{0,60}(?:ext[ée]rieur|externe).{0,80}",
    r"(?:algunas personas que recibieron este mensaje )?no suelen? recibir .{1,160}",
    r"este (?:correo(?: electr[óo]nico)?|mensaje|e-?mail) (?:proviene|procede|se origin[óo]|fue enviado|ha sido enviado|viene) .{0,60}(?:extern|fuera|exterior).{0,80}",
    r"non (?:si ricevono|ricevi) spesso .{1,160}",
    r"quest[oa] (?:messaggio|e-?mail|mail) (?:proviene|[èe] stat[oa] inviat[oa]|arriva) .{0,60}estern.{0,80}",
    r"(?:u|je|sommige mensen die dit bericht hebben ontvangen,?) .{0,60}niet vaak e-?mail.{1,160}",
    r"(?:deze|dit) (?:e-?mail|bericht|mail) (?:is|komt) .{0,40}(?:extern|buiten).{0,80}",
    # what to do
    r"(?:please )?(?:learn why this is important|power by|report suspicious)(?: at \S+|\s?<?https?:\S+)?",
    r"(?:please )?(?:do not|don[\u2019']t|never|avoid|use caution|exercise caution|be (?:careful|cautious)|stop and think|think before)"
    r" .{0,60}(?:click|link|attachment|open|repl|respond|credential|password).{0,160}",
    r"(?:please )?(?:verify|check|confirm) the sender.{0,100}|report (?:any )?(?:suspicious|phishing).{0,100}",
    r"erfahren sie, warum dies wichtig ist.{0,80}|weitere informationen, warum dies wichtig ist.{0,80}",
    r"(?:bitte )?(?:klicken|[öo]ffnen) sie .{0,40}(?:link|anh[äa]ng|anlage).{0,160}|seien sie vorsichtig .{0,120}",
    r"(?:pourquoi c[\u2019']est important|d[ée]couvrez pourquoi ce(?:la|ci) est important|d[ée]couvrir pourquoi).{0,80}",
    r"(?:ne cliquez (?:pas|sur)|n[\u2019']ouvrez (?:pas|aucun)).{0,160}",
    r"(?:por qu[ée] (?:esto )?es (?:esto )?importante|obtenga m[áa]s informaci[óo]n|descubra por qu[ée]).{0,80}|no (?:haga|hagas|abra|pulse) .{0,30}(?:clic|enlace|adjunto|archivo).{0,160}",
    r"(?:informazioni sul perch[ée]|scopri perch[ée]) .{0,80}|non (?:cliccare|fare clic|aprire) .{0,160}",
    r"(?:meer informatie over waarom|ontdek waarom|lees waarom) dit belangrijk is.{0,60}|klik niet op .{0,160}|open geen .{0,160}",
    r"<?https?:\S{1,300}",
)
_BANNER_SENTENCE = re.compile(rf"(?:{'|'.join(_BANNER_WORDS)})[.!]?", re.IGNORECASE)
_BANNER_FIRST = re.compile(
    r"[\[({*#!\s\u26a0\ufe0f]*(?:ext|caution|warning|attention|security|notice|this |the |some people|you don|achtung|vorsicht|warnung|hinweis"
    r"|einige|sie erhalten|diese |die |vous |certaines|il est|ce |cet |ce |mensaje|correo|courriel|message|mail|e-?mail|mittente"
    r"|messaggio|atenci|precauci|aviso|advertencia|algunas|no suele|este |non |quest|attenzione|avviso|let op|waarschuwing|opgelet"
    r"|u |je |sommige|deze |dit )",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!:])\s+|(?<=\])\s*")
_RULE = re.compile(r"[-_=*~#]{3,100}")

_HEADING = re.compile(
    r"\W{0,3}(?:confidential(?:ity)?(?: notice| note| statement)?|legal (?:notice|disclaimer)|disclaimer|privacy notice"
    r"|vertraulichkeitshinweis|rechtlicher hinweis|haftungsausschluss|datenschutzhinweis"
    r"|aviso (?:legal|de confidencialidad)|confidencialidad|cl[áa]usula de confidencialidad"
    r"|avis de confidentialit[ée]|avertissement|confidentialit[ée]"
    r"|avviso di riservatezza|informativa sulla riservatezza|riservatezza|clausola di riservatezza)\W{0,4}(?:$|:|-|\u2013)",
    re.IGNORECASE,
)
_NOTICE_FIRST = re.compile(
    r"\W{0,3}(?:this (?:e-?mail|message|communication|transmission|electronic|mail)|the (?:information|contents?|documents?)|if you (?:are not|have received)"
    r"|any (?:unauthori[sz]ed|views|dissemination)|e-?mail (?:transmission|communication)|please (?:consider the environment|note that this)"
    r"|diese (?:e-?mail|nachricht|mail)|der inhalt diese[rs]|die(?:se)? (?:in dieser|informationen)|sollten sie nicht|wenn sie nicht der|falls sie nicht"
    r"|este (?:correo|mensaje|e-?mail)|el contenido de este|la informaci[óo]n conten|si (?:usted )?no es (?:usted )?el|si ha recibido"
    r"|ce (?:courriel|message|mail|courrier)|cet e-?mail|le contenu de ce|les informations contenues|si vous (?:n[\u2019'][êe]tes|avez re[çc]u)|ce message et"
    r"|quest[oa] (?:e-?mail|messaggio|mail|comunicazione)|il (?:presente|contenuto)|la presente|le informazioni|ai sensi"
    r"|dit (?:bericht|e-?mail)|deze (?:e-?mail|mail|informatie)|de (?:informatie|inhoud)|aan dit bericht|indien u|als u niet)\b",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    # English
    r"(?P<a>confidential)|(?P<b>privileged)|(?P<c>intended (?:only|solely|recipient|for the (?:sole|exclusive|use)|addressee)|addressee)"
    r"|(?P<d>in error\b|by mistake)|(?P<e>unauthori[sz]ed|strictly prohibited|is prohibited|unlawful)|(?P<f>\b(?:delete|destroy) (?:it|this|the|all))"
    r"|(?P<g>notify the sender|contact the sender|notify us|disclos|dissemination|liab(?:le|ility))"
    # German
    r"|(?P<h>vertraulich)|(?P<i>(?:richtige|bestimmungsgem[äa](?:ß|ss)e|vorgesehene|beabsichtigte)[nr]? (?:adressat|empf[äa]nger)|ausschlie(?:ß|ss)lich f[üu]r)"
    r"|(?P<j>irrt[üu]mlich|versehentlich erhalten)|(?P<k>unbefugt|nicht gestattet|unerlaubt|untersagt)|(?P<l>(?:l[öo]schen|vernichten) sie|informieren sie bitte)"
    r"|(?P<m>gesch[üu]tzt)"
    # Spanish, French, Italian
    r"|(?P<n>confiden[ct]i[ae]l|riservat)|(?P<o>destinatari[oa]|destinataire)|(?P<p>por error|par erreur|per errore)"
    r"|(?P<q>prohibid|interdit|vietat|proibit|no autorizad|non autoris)|(?P<r>elim[ií]n|b[óo]rre|destru|d[ée]truire|supprimer|cancellar|distrugger)"
    r"|(?P<s>privilegiad|exclusiv|privil[ée]gi|esclusiv)|(?P<t>2016/679|gdpr|rgpd|dsgvo|avg\b|196/2003)"
    # Dutch, and paper
    r"|(?P<u>vertrouwelijk)|(?P<v>geadresseerde|bestemd voor)|(?P<w>niet toegestaan|onrechtmatig|verboden)|(?P<x>per vergissing|abusievelijk|ten onrechte)"
    r"|(?P<y>aansprakelijk|te verwijderen|te vernietigen)|(?P<z>before printing|consider the environment)",
    re.IGNORECASE,
)
_ENOUGH = 2

_FOOTER = re.compile(
    # scanners
    r"(?:virus[- ]?free|virenfrei|sin virus|libre de virus|sans virus|garanti sans virus|privo di virus|virusvrij|livre de v[íi]rus|wolny od wirus[óo]w)\.?"
    r"(?: ?<?(?:https?://)?(?:www\.)?(?:avast|avg)\.com\S*)?"
    r"|.{0,60}(?:checked for viruses|scanned for viruses|virus scanned|auf viren (?:gepr[üu]ft|untersucht)|libre de virus|analizado en busca de virus|comprobado.{0,20}virus"
    r"|analys[ée].{0,20}virus|v[ée]rifi[ée].{0,20}virus|controllat[ao].{0,20}virus|gecontroleerd op virus).{0,80}(?:avast|avg|norton|mcafee|kaspersky|mailscanner|eset)?.{0,40}"
    r"|no virus found in this (?:incoming |outgoing )?message\.?|checked by avg.{0,80}|version: [\d.]{3,20} / virus database: .{0,60}"
    r"|(?:https?://)?www\.(?:avast|avg)\.com(?:/\S*)?"
    # lists
    r"|you(?:[\u2019']re| are) (?:currently )?(?:receiving|subscribed|on) .{0,60}(?:because|list|group|newsletter).{0,120}"
    r"|you received this (?:message|e-?mail) because .{0,160}"
    r"|to unsubscribe(?:,| from| send| click).{0,160}|to (?:view|visit) this discussion.{0,160}|for more options, visit .{0,100}"
    r"|(?:\[?unsubscribe\]?|abmelden|darse de baja|se d[ée](?:sabonner|sinscrire)|annulla iscrizione|uitschrijven)(?: (?:here|from this list))?\.?"
    # sponsors of free mail
    r"|do you yahoo!\?.{0,40}|get your free e-?mail .{0,60}|join the world[\u2019']s largest e-mail service.{0,60}|msn photos is the easiest.{0,80}"
    r"|this sf\.net email is sponsored by.{0,100}|(?:chat|talk) with friends online.{0,60}|yahoo! (?:groups sponsor|mail).{0,60}"
    r"|(?:gesendet mit|sent with) (?:der |the )?(?:gmx|web\.de|1&1|freenet|proton|posteo|mailo)\b.{0,60}",
    re.IGNORECASE,
)
_FOOTER_HINT = re.compile(
    r"vir[ue]|avast|avg|unsubscribe|abmelden|baja|d[ée]sabon|d[ée]sinsc|annulla|uitschr|you|subscri|yahoo|free e-?mail|largest"
    r"|msn|sf\.net|friends|gmx|web\.de|freenet|proton|posteo|1&1|mailo|options|discussion|wirus|v[íi]rus",
    re.IGNORECASE,
)
MAX_FOOTER_CHARS = 200
"""Of a footer's line; more is a paragraph that somebody wrote."""
