"""Sentences around values, by language; `{l}` is the label, `{v}` the value."""

LABELLED = {
    "en": ["My {l} is {v}, can you update the file?", "{l}: {v}", "Please verify the {l} {v} before Friday.",
           "The customer's {l} ({v}) doesn't match our records.", "Use {l} {v} for the transfer, thanks.",
           "For the {l} I have {v} on file; is that right?", "We need a new card for {l} = {v}.",
           "Her {l} was recorded as {v} at intake.", "{l} - {v}\nReceived by post.", "The {l} on the form reads {v} and nothing else.",
           "Hi team,\n\nbelow are the details.\n{l}: {v}\n\nRegards"],
    "de": ["Meine {l} lautet {v}, bitte prüfen Sie das.", "{l}: {v}", "Bitte tragen Sie {l} {v} ein.",
           "Der Kunde hat die {l} {v} angegeben.", "Laut Akte ist die {l} {v} hinterlegt."],
    "fr": ["Mon {l} est le {v}, merci de vérifier.", "{l} : {v}", "Veuillez enregistrer {l} {v} dans le dossier.",
           "Le client a donné {l} {v} hier.", "Voici mon {l} : {v}."],
    "es": ["Mi {l} es {v}, ¿puede comprobarlo?", "{l}: {v}", "El cliente indicó {l} {v} ayer.", "Anote {l} {v} en la ficha, por favor."],
    "pt": ["Meu {l} é {v}, pode verificar?", "{l}: {v}", "O cliente informou {l} {v} ontem."],
    "it": ["Il mio {l} è {v}, può controllare?", "{l}: {v}", "Il cliente ha indicato {l} {v} ieri."],
    "nl": ["Mijn {l} is {v}, kunt u dat controleren?", "{l}: {v}", "De klant gaf {l} {v} door."],
    "pl": ["Mój {l} to {v}, proszę sprawdzić.", "{l}: {v}", "Klient podał {l} {v} wczoraj."],
    "sv": ["Mitt {l} är {v}, kan du kontrollera?", "{l}: {v}", "Kunden uppgav {l} {v} igår."],
    "da": ["Mit {l} er {v}, vil du tjekke det?", "{l}: {v}"],
    "no": ["Mitt {l} er {v}, kan du sjekke?", "{l}: {v}"],
    "fi": ["Minun {l} on {v}, voitteko tarkistaa?", "{l}: {v}"],
    "tr": ["Benim {l} {v}, kontrol eder misiniz?", "{l}: {v}"],
    "cs": ["Moje {l} je {v}, prosím o kontrolu.", "{l}: {v}"],
    "sk": ["Moje {l} je {v}, prosím o kontrolu.", "{l}: {v}"],
    "ro": ["{l}-ul meu este {v}, vă rog verificați.", "{l}: {v}"],
    "bg": ["Моето {l} е {v}, моля проверете.", "{l}: {v}"],
    "hr": ["Moj {l} je {v}, molim provjerite.", "{l}: {v}"],
    "he": ["{l} שלי הוא {v} בבקשה לבדוק", "{l}: {v}"],
    "th": ["{l}ของฉันคือ {v} กรุณาตรวจสอบ", "{l}: {v}"],
    "zh": ["我的{l}是{v}，请帮我查一下。", "{l}：{v}", "客户提供的{l}为{v}。", "{l}{v}已经登记"],
    "ja": ["私の{l}は{v}です。", "{l}：{v}", "お客様の{l}は{v}と登録されています。", "{l}「{v}」を確認してください。"],
    "ko": ["제 {l}는 {v}입니다.", "{l}: {v}", "고객 {l}는 {v}로 등록되어 있습니다."],
}
CHATS = ["[10:42] sam: hey what's your {l}?\n[10:43] kim: {v}\n[10:43] sam: thx", "user: my {l} is {v} btw\nassistant: Got it.",
         "> what {l} should I use\n{v}", "lol ok here's the {l} {v} dont share it", "@ops {l} → {v}"]
VOICE = ["okay so my {l} is {v} okay did you get that", "uh yes the {l} that's {v} um thank you",
         "sure it is {v} that's my {l} yeah"]
ALONE = ["Please take {v} and send me the result.", "I only have this: {v}", "{v}", "see {v} for the one from yesterday",
         "Is {v} still the right one?", "Wrote it on the pad:\n{v}\nand closed the door.", "Got {v}, thanks!"]
CJK_ALONE = ["请联系{v}处理", "这是{v}，请查收。", "新的是{v}。", "これは{v}です。", "確認：{v}をお願いします", "값은 {v}입니다", "（{v}）"]
CJK_LABELLED = ["客户的{l}是{v}请核对", "{l}：{v}。", "{l}は{v}です", "【{l}】{v}", "{l}为{v}，谢谢"]
FILLER = ["Thank you for your patience while we looked into the matter.", "The delivery left our warehouse this morning and should arrive within three days.",
          "We have reopened ticket 48213 and will come back to you.", "As agreed, the second instalment of 1,250.00 is due at the end of the month.",
          "Version 2.14.3 of the app fixes this.", "Nous vous remercions de votre confiance.", "Die Bearbeitung dauert etwa 14 Tage."]
