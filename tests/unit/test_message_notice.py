"""What no person wrote goes to the signature; what a person wrote never does."""

from __future__ import annotations

import pytest

from cubbyd.message.quote import split_text

OWN = "Wyatt stays home today, please tell Ms. Rosa."

BANNERS = [
    "[EXTERNAL]",
    (
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you recognize"
        " the sender and know the content is safe."
    ),
    (
        "CAUTION: This email originated from outside of the organization. Do not\nclick links or open attachments unless you recognize"
        " the sender and know\nthe content is safe."
    ),
    "You don't often get email from kelly@example.com. Learn why this is important",
    "Some people who received this message don't often get email from kelly@example.com. Learn why this is important",
    "Sie erhalten nicht oft eine E-Mail von kelly@example.com. Erfahren Sie, warum dies wichtig ist",
    "ACHTUNG: Diese E-Mail stammt von einem externen Absender. Klicken Sie nicht auf Links und öffnen Sie keine Anhänge.",
    "Vous n\u2019obtenez pas souvent d\u2019e-mail à partir de kelly@example.com. Pourquoi c\u2019est important",
    "No suele recibir correo electrónico de kelly@example.com. Por qué es esto importante",
    "Non si ricevono spesso messaggi di posta elettronica da kelly@example.com. Informazioni sul perché è importante",
    "U ontvangt niet vaak e-mail van kelly@example.com. Meer informatie over waarom dit belangrijk is",
    "*** EXTERNAL EMAIL ***\n________________________",
]


@pytest.mark.parametrize("banner", BANNERS, ids=lambda banner: banner[:24])
def test_banners_at_the_top(banner: str) -> None:
    split = split_text(f"{banner}\n\n{OWN}")
    assert split.new == OWN
    assert split.signature.startswith(banner.partition("\n")[0])


NOTICES = [
    (
        "This e-mail and any attachments are confidential and intended solely for the addressee. If you received it in error, please"
        " notify the sender."
    ),
    (
        "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind oder diese E-Mail irrtümlich"
        " erhalten haben, informieren Sie bitte den Absender."
    ),
    "Este correo es confidencial y va dirigido exclusivamente a su destinatario. Si lo ha recibido por error, elimínelo.",
    "Ce message est confidentiel et destiné à son seul destinataire. Toute utilisation non autorisée est interdite.",
    "Questo messaggio è riservato al destinatario. Se lo avete ricevuto per errore, vi preghiamo di cancellarlo.",
    "Dit bericht is vertrouwelijk en alleen bestemd voor de geadresseerde. Hebt u het per vergissing ontvangen, verwijder het dan.",
    "CONFIDENTIALITY NOTICE:\nThis message is intended only for the person to whom it is addressed.",
    "Please consider the environment before printing this e-mail, and do not disclose its contents to others.",
]


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice[:24])
def test_legal_notices(notice: str) -> None:
    split = split_text(f"{OWN}\n\n{notice}")
    assert (split.new, split.signature) == (OWN, notice)


FOOTERS = [
    "Virus-free. www.avast.com",
    "Virenfrei.www.avast.com",
    "Diese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft.\nwww.avast.com",
    "_______________________________________________\ndirectors mailing list\ndirectors@lists.example\nhttps://lists.example/x",
    'You received this message because you are subscribed to the Google Groups "Owls" group.',
    "To unsubscribe from this group, send an email to:\nowls-unsubscribe@example.com",
    "-------------------------------------------------------\nThis sf.net email is sponsored by: ThinkGeek",
    "Do You Yahoo!?",
]


@pytest.mark.parametrize("footer", FOOTERS, ids=lambda footer: footer[:24])
def test_footers(footer: str) -> None:
    split = split_text(f"{OWN}\n\n{footer}")
    assert footer.rpartition("\n")[2] in split.signature
    assert split.new.startswith(OWN)
    assert footer.rpartition("\n")[2] not in split.new


DEVICES = [
    "Sent from my iPhone",
    "Sent from my Verizon, Samsung Galaxy smartphone",
    "Von meinem iPad gesendet",
    "Enviado desde mi iPhone",
    "Envoyé de mon iPhone",
    "Inviato da iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Wysłane z iPhone'a",
    "Enviado do meu iPhone",
    "iPhone'umdan gönderildi",
    "Отправлено с iPhone",
    "从我的iPhone发送",
    "iPhoneから送信",
    "Sent from my iPhone, please excuse typos",
]


@pytest.mark.parametrize("device", DEVICES)
def test_a_phones_own_line(device: str) -> None:
    split = split_text(f"{OWN}\n\n{device}")
    assert (split.new, split.signature) == (OWN, device)


@pytest.mark.parametrize(
    "text",
    [
        "CAUTION: Leo has lice, please check all heads.",
        "Attention: the gate is broken.\n\nPlease use the back door.",
        "You don't often get email from me, but Mia is sick.",
        "Please do not open the attachment, it is the wrong one.\n\nThe right one follows.",
        "This email is from Mia's father.",
        "Hello,\nThis message is confidential: Mia's parents separated last week, please only let me pick her up.\nAnna",
        "Hi\nThe information about the diagnosis is confidential and Mia needs her inhaler at noon every day.\nAnna",
        "Hello\nDiese Nachricht ist vertraulich, ich möchte nicht, dass Frau Adler davon erfährt, sie ist nur für Sie.\nAnna",
        "Hello\n\nthe virus is back, Leo has a fever",
        "Hello\nTo unsubscribe him is not what we want",
        "Please fill in\n__________\nName of child Mia\n__________\nAllergies nuts",
        "Sent from my iPhone, Mia is sick",
        "Hello\n\u2014\nMia is sick today and will not come at all this week, sorry.",
        "Hello\n\n--\n\nMia needs an inhaler at noon. Please give two puffs if she coughs.",
        "Dear all\n\nthanks\nmia sick",
        "Hallo\n\nDanke\nLeo Fieber",
        "Please bring:\n\nThanks\nRain boots\nHat",
    ],
)
def test_the_senders_own_words_stay(text: str) -> None:
    split = split_text(text)
    assert (split.new, split.signature) == (text, "")


@pytest.mark.parametrize(
    "closing",
    [
        "Danke und liebe Grüße",
        "Viele liebe Grüße",
        "Thanks and regards,",
        "Cordiali saluti",
        "Met vriendelijke groet,",
        "Pozdrawiam",
        "Saygılarımla",
        "Com os melhores cumprimentos",
        "С уважением,",
        "LG",
        "Un saludo,",
        "Bonne journée,",
    ],
)
def test_closings_of_many_languages(closing: str) -> None:
    split = split_text(f"{OWN}\n\n{closing}\nAnna Berg")
    assert (split.new, split.signature) == (OWN, f"{closing}\nAnna Berg")


def test_an_offices_signature_is_long() -> None:
    office = "Kind regards\nEllis Moore\nHead of paediatrics\nISO 9001:2008 certified\nwww.clinic.example\n+49 30 5550100\n12 Elder Street\nD-10115 Berlin"
    assert split_text(f"{OWN}\n\n{office}").signature == office


def test_below_a_true_signature_mark_anything_is_signature() -> None:
    text = f"{OWN}\n--\nNobody has ever become poor by giving, said somebody once."
    assert split_text(text, is_dashed=True).new == OWN
    assert split_text(text).new == text
