#ifndef DN_TEXT_MAIL_PHRASES_H
#define DN_TEXT_MAIL_PHRASES_H
/** The phrases by which own_words.c knows what is not the writer's own, in the languages of its
 * header; compared without the case of ASCII letters. Lists end with NULL. */

/** Between dashes, before the message that is answered. */
static const char *const original_markers[] = {"original message",
                                               "ursprüngliche nachricht",
                                               "message d'origine",
                                               "message original",
                                               "message d’origine",
                                               "mensaje original",
                                               "messaggio originale",
                                               "mensagem original",
                                               "reply message",
                                               "originalnachricht",
                                               NULL};

/** Between dashes, before a message that is passed on. */
static const char *const forward_markers[] = {"forwarded message",
                                              "forwarded by",
                                              "weitergeleitete nachricht",
                                              "message transféré",
                                              "mensaje reenviado",
                                              "messaggio inoltrato",
                                              "mensagem encaminhada",
                                              "start of forwarded message",
                                              NULL};

/** The same, as lines of their own without dashes. */
static const char *const forward_lines[] = {
    "begin forwarded message:",        "anfang der weitergeleiteten nachricht:",
    "début du message réexpédié :",    "début du message réexpédié\u00a0:",
    "début du message transféré :",    "inicio del mensaje reenviado:",
    "inizio messaggio inoltrato:",     "início da mensagem reencaminhada:",
    "início da mensagem encaminhada:", NULL};

/** Labels of the header lines that are copied before an answered message. */
static const char *const from_labels[] = {"from", "von", "de", "da", NULL};
static const char *const sent_labels[] = {"sent",       "date",           "gesendet",   "datum",
                                          "envoyé",     "enviado",        "enviado el", "enviada",
                                          "enviada em", "fecha",          "data",       "inviato",
                                          "sent on",    "fecha de envío", NULL};
static const char *const other_labels[] = {"to",      "an",      "à",       "À",     "a",
                                           "para",    "subject", "betreff", "objet", "asunto",
                                           "oggetto", "assunto", NULL};

/** How a line begins that says who wrote what follows, and what it says. */
static const char *const attribution_openers[] = {
    "on ", "at ", "in article ", "in message ", "am ",    "le ",  "el ",
    "il ", "em ", "no dia ",     "den ",        "a las ", "in <", NULL};
static const char *const attribution_verbs[] = {
    "wrote",    "writes",   "written",  "schrieb",  "schreibt", "geschrieben", "a écrit",
    "écrivait", "a ecrit",  "escribió", "escribio", "escribe",  "ha scritto",  "scrive",
    "scriveva", "escreveu", "said",     "says",     NULL};

/** Whole lines that end a letter. */
static const char *const closings[] = {"regards",
                                       "best regards",
                                       "kind regards",
                                       "warm regards",
                                       "with best regards",
                                       "with kind regards",
                                       "best wishes",
                                       "best",
                                       "all the best",
                                       "many thanks",
                                       "thanks and regards",
                                       "thanks & regards",
                                       "thanks",
                                       "thank you",
                                       "cheers",
                                       "sincerely",
                                       "sincerely yours",
                                       "yours sincerely",
                                       "yours faithfully",
                                       "yours truly",
                                       "respectfully",
                                       "mit freundlichen grüßen",
                                       "mit freundlichen gruessen",
                                       "mit freundlichem gruß",
                                       "freundliche grüße",
                                       "viele grüße",
                                       "viele gruesse",
                                       "beste grüße",
                                       "liebe grüße",
                                       "herzliche grüße",
                                       "schöne grüße",
                                       "mit besten grüßen",
                                       "mfg",
                                       "lg",
                                       "vg",
                                       "grüße",
                                       "gruß",
                                       "cordialement",
                                       "bien cordialement",
                                       "bien à vous",
                                       "cdlt",
                                       "salutations",
                                       "meilleures salutations",
                                       "sincères salutations",
                                       "amicalement",
                                       "bonne journée",
                                       "saludos",
                                       "un saludo",
                                       "saludos cordiales",
                                       "un cordial saludo",
                                       "atentamente",
                                       "cordialmente",
                                       "un abrazo",
                                       "muchas gracias",
                                       "cordiali saluti",
                                       "distinti saluti",
                                       "saluti",
                                       "un saluto",
                                       "cari saluti",
                                       "un caro saluto",
                                       "grazie",
                                       "atenciosamente",
                                       "cumprimentos",
                                       "com os melhores cumprimentos",
                                       "melhores cumprimentos",
                                       "abraços",
                                       "abraço",
                                       "obrigado",
                                       "obrigada",
                                       NULL};

/** Words of a list's footer. */
static const char *const footer_words[] = {"mailing list",
                                           "listinfo",
                                           "unsubscribe",
                                           "unsubscription",
                                           "sponsored by",
                                           "yahoo! groups",
                                           "abmelden",
                                           "abbestellen",
                                           "désabonner",
                                           "désinscrire",
                                           "darse de baja",
                                           "cancelar su suscripción",
                                           "disiscriver",
                                           "cancellarsi dalla lista",
                                           "cancelar a inscrição",
                                           "cancelar a assinatura",
                                           "google groups",
                                           "majordomo",
                                           NULL};

/** How a footer without a rule begins. */
static const char *const footer_openers[] = {"to unsubscribe",
                                             "you received this message because",
                                             "to view this discussion on the web",
                                             "um sich von dieser liste abzumelden",
                                             "pour vous désabonner",
                                             "pour se désabonner",
                                             "para darse de baja",
                                             "per disiscriverti",
                                             "para cancelar a inscrição",
                                             NULL};

#endif
