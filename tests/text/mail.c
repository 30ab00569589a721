/* The stage mail: what is read of a message, what is cut, what is refused. */
#include "mail_line.h"

enum { COUNTS = 4 };
static const char *const counts[COUNTS] = {"mail.quoted", "mail.signed", "mail.footer",
                                           "mail.damaged"};

typedef struct mail_case {
    const char *what, *mail, *text; /* text: subject, line feed, body */
    int count[COUNTS];
} mail_case;

#define HEAD  "From: Ann <ann@example.org>\nSubject: Hello\n"
#define MIME  HEAD "MIME-Version: 1.0\n"
#define PLAIN HEAD "\n"

static void check(const mail_case *cases, size_t n, const char *const *settings) {
    mail_line l;
    REQUIRE(mail_begin(&l, settings) == DN_OK);
    for (size_t i = 0; i < n; i++) {
        const mail_case *c = &cases[i];
        mail_one(&l, dn_span_of(c->mail));
        int failures = dn_failures_in_case;
        EXPECT_INT(l.chunk->n_sel, 1);
        EXPECT_TEXT(mail_bytes(&l, "mail.text", 0).ptr, c->text);
        for (int k = 0; k < COUNTS; k++) {
            EXPECT_INT(mail_count(&l, counts[k], 0), c->count[k]);
        }
        if (dn_failures_in_case != failures) {
            fprintf(stderr, "    case: %s\n", c->what);
        }
    }
    mail_end(&l);
}
#define CHECK(cases, settings) check(cases, sizeof(cases) / sizeof *(cases), settings)

static const mail_case messages[] = {
    {"a message of the simplest kind", PLAIN "Hi there.\n", "Hello\nHi there.", {0}},
    {"line ends of the network",
     "From: a\r\nSubject: S\r\n\r\none\r\n\r\n\r\ntwo\r\n",
     "S\none\n\ntwo",
     {0}},
    {"a first line of a mailbox file", "From ann Mon Jan  5\n" PLAIN "x", "Hello\nx", {0}},
    {"no subject", "From: a\nTo: b\n\nbody", "body", {0}},
    {"no body", HEAD, "Hello\n", {0}},
    {"a folded subject", "From: a\nSubject: one\n  two\n\tthree\n\nx", "one two three\nx", {0}},
    {"a name in lower case, a blank before the colon", "From: a\nsubject : s\n\nx", "s\nx", {0}},
    {"the first of two subjects", "From: a\nSubject: one\nSubject: two\n\nx", "one\nx", {0}},
    {"no message at all", "Just words: these.\n", "Just words: these.", {0}},
    {"a body that begins with a colon", "Note: this\nis: it\n\nx", "Note: this\nis: it\n\nx", {0}},
    {"an HTML page as body", "<html><p>Hi <b>you</b></html>", "Hi you", {0}},
    {"what ends a header makes it none",
     HEAD "no field\nb",
     "From: Ann <ann@example.org>\nSubject: Hello\nno field\nb",
     {0}},
};

static const mail_case encodings[] = {
    {"encoded words, joined, split in a character",
     "From: a\nSubject: =?UTF-8?Q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe_an?=\n =?iso-8859-1?B?5A==?= b\n\nx",
     "Gr\u00fc\u00dfe an\u00e4 b\nx",
     {0}},
    {"an encoded word in words", "From: a\nSubject: a =?us-ascii?q?b?= c\n\nx", "a b c\nx", {0}},
    {"a language in an encoded word", "From: a\nSubject: =?us-ascii*en?q?b?=\n\nx", "b\nx", {0}},
    {"what only begins as one",
     "From: a\nSubject: =?x?y?z?= =?utf-8?Q?\n\nx",
     "=?x?y?z?= =?utf-8?Q?\nx",
     {0}},
    {"quoted-printable, soft line ends",
     MIME "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
          "quoted-printable\n\nna=EFve =\nlong=3D=20\n",
     "Hello\nna\u00efve long=",
     {0}},
    {"damaged quoted-printable",
     MIME "Content-Transfer-Encoding: quoted-printable\n\n1=2 a=zz =4\n",
     "Hello\n1=2 a=zz =4",
     {0, 0, 0, 3}},
    {"base64",
     MIME "Content-Transfer-Encoding: BASE64\n\nSGkg\r\ndGhlcmU=\n",
     "Hello\nHi there",
     {0}},
    {"base64 of two pieces, each padded",
     MIME "Content-Transfer-Encoding: base64\n\nSGk=\nIHlvdQ==\n",
     "Hello\nHi you",
     {0}},
    {"damaged base64",
     MIME "Content-Transfer-Encoding: base64\n\nSGkg!*dGhlcmU=Q\n",
     "Hello\nHi there",
     {0, 0, 0, 3}},
    {"Windows-1252 under the name of Latin-1",
     MIME "Content-Type: text/plain; charset=\"ISO-8859-1\"\n\n\x93q\x94 \x80 5",
     "Hello\n\u201cq\u201d \u20ac 5",
     {0}},
    {"bytes of no declared set", PLAIN "caf\xe9", "Hello\ncaf\u00e9", {0}},
    {"UTF-8 that says it is Latin-1, as JSON makes it",
     MIME "Content-Type: text/plain; charset=iso-8859-1\n\ncaf\u00e9",
     "Hello\ncaf\u00e9",
     {0}},
    {"Cyrillic",
     MIME "Content-Type: text/plain; charset=koi8-r\n\n\xd0\xd2\xc9\xd7\xc5\xd4",
     "Hello\n\u043f\u0440\u0438\u0432\u0435\u0442",
     {0}},
    {"an unknown set keeps its ASCII",
     MIME "Content-Type: text/plain; charset=x-none\n\nabcdefgh \xff\xfe ij",
     "Hello\nabcdefgh \ufffd ij",
     {0, 0, 0, 2}},
    {"shifted out of ASCII",
     MIME
     "Content-Type: text/plain; charset=ISO-2022-JP\n\nabcdefghijk \033$B8+\033(B and \033$B8+$F",
     "Hello\nabcdefghijk \ufffd and \ufffd",
     {0, 0, 0, 15}},
    {"broken UTF-8",
     MIME "Content-Type: text/plain; charset=utf-8\n\nab\xc3 cd",
     "Hello\nab\ufffd cd",
     {0, 0, 0, 1}},
    {"control characters",
     PLAIN "a\x01"
           "b\x7f"
           "c\td\re",
     "Hello\nabc\td\ne",
     {0}},
};

#define PART(type, text) "--b\nContent-Type: " type "\n\n" text "\n"
#define MULTI(kind)      MIME "Content-Type: multipart/" kind "; boundary=\"b\"\n\npreamble\n"

static const mail_case parts[] = {
    {"alternative prefers plain text",
     MULTI("alternative") PART("text/html", "<b>rich</b>") PART("text/plain", "plain") "--b--\n",
     "Hello\nplain",
     {0}},
    {"alternative without plain text",
     MULTI("alternative") PART("text/html", "<b>rich</b>") PART("image/png", "x") "--b--\n",
     "Hello\nrich",
     {0}},
    {"alternative whose plain text is empty",
     MULTI("alternative") PART("text/plain", "  ") PART("text/html", "rich") "--b--\n",
     "Hello\nrich",
     {0}},
    {"mixed: text parts, no attachments",
     MULTI("mixed") PART("text/plain", "one") PART("application/pdf", "JVBE")
         PART("text/plain\nContent-Disposition: attachment; filename=a.txt", "file")
             PART("text/html", "<p>two</p>") "--b--\nepilogue",
     "Hello\none\ntwo",
     {0}},
    {"related: the first part",
     MULTI("related") PART("text/html", "page") PART("text/plain", "not this") "--b--\n",
     "Hello\npage",
     {0}},
    {"nested",
     MULTI("mixed") "--b\nContent-Type: multipart/alternative; boundary=c\n\n"
                    "--c\n\nplain\n--c\nContent-Type: text/html\n\nrich\n--c--\n"
                    "--b\n\nmore\n--b--\n",
     "Hello\nplain\nmore",
     {0}},
    {"an attached mail is not the writer's",
     MULTI("mixed") PART("text/plain", "see below")
         PART("message/rfc822", "From: b\nSubject: other\n\nother words") "--b--\n",
     "Hello\nsee below",
     {0}},
    {"no last boundary", MULTI("mixed") PART("text/plain", "one"), "Hello\none", {0, 0, 0, 1}},
    {"no boundary at all", MULTI("mixed") "words\n", "Hello\npreamble\nwords", {0, 0, 0, 1}},
    {"a boundary that is only the beginning of a line",
     MULTI("mixed") PART("text/plain", "one\n--bx\n--b x") "--b-- \n",
     "Hello\none\n--bx\n--b x",
     {0}},
    {"part with its own encoding",
     MULTI("mixed")
         PART("text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", "w6Q=") "--b--\n",
     "Hello\n\u00e4",
     {0}},
};

static const mail_case pages[] = {
    {"blocks, breaks, white space",
     MIME "Content-Type: text/html\n\n<html><head><title>t</title><style>p{}</style></head>"
          "<body> <p>One  \n two<br>three</p><div>four</div><ul><li>five<li>six</ul></body>",
     "Hello\nOne two\nthree\n\nfour\n\nfive\nsix",
     {0}},
    {"entities",
     MIME "Content-Type: text/html\n\na&nbsp;&amp;&lt;b&gt; &eacute;&#233;&#xE9; &none; &#0; &",
     "Hello\na &<b> \u00e9\u00e9\u00e9 &none; &#0; &",
     {0}},
    {"a comment inside a word, scripts, quotes in tags",
     MIME "Content-Type: text/html\n\nV<!-- x > y -->ia<script>var a='<b>';</script>gra "
          "<a title=\"1 > 0\" href='x'>link</a> 1 < 2",
     "Hello\nViagra link 1 < 2",
     {0}},
    {"unclosed things",
     MIME "Content-Type: text/html\n\na<b <i>c <a href=\"x>d</a> <!-- e",
     "Hello\nac d",
     {0}},
    {"a quote is a quote",
     MIME "Content-Type: text/html\n\n<p>mine</p><div>On 5 May 2004, Bob wrote:</div>"
          "<blockquote>his<p>more</blockquote>",
     "Hello\nmine",
     {3}},
};

CASE(messages_are_read) {
    CHECK(messages, NULL);
}

CASE(a_format_can_be_told) {
    static const char *const message[] = {"format", "message", NULL};
    static const char *const body[] = {"format", "body", NULL};
    static const mail_case told[] = {
        {"a line that ends the header", HEAD "no field\nb", "Hello\nno field\nb", {0, 0, 0, 1}},
        {"no header at all", "words\n", "words", {0, 0, 0, 1}},
        {"a single field", "X: y\n\nb", "b", {0}},
    };
    static const mail_case other[] = {
        {"a message", "From: a\nTo: b\n\nc", "From: a\nTo: b\n\nc", {0}}};
    CHECK(told, message);
    CHECK(other, body);
}

CASE(encodings_and_character_sets) {
    CHECK(encodings, NULL);
}

CASE(parts_are_chosen) {
    CHECK(parts, NULL);
}

CASE(pages_become_text) {
    CHECK(pages, NULL);
}

static const mail_case quotes[] = {
    {"English",
     PLAIN "Yes.\n\nOn Mon, Jan 5, 2004 at 10:00, Bob <bob@x.org> wrote:\n> Is it?\n",
     "Hello\nYes.",
     {2}},
    {"English, on two lines",
     PLAIN "Yes.\nOn Mon, Jan 5, 2004 at 10:00, Bob Somebody\n<bob@x.org> wrote:\n\n> Is it?\n",
     "Hello\nYes.",
     {3}},
    {"German", PLAIN "Ja.\nAm 05.01.2004 um 10:00 schrieb Bob:\n> Ist es?\n", "Hello\nJa.", {2}},
    {"French",
     PLAIN "Oui.\nLe lun. 5 janv. 2004, Bob a \u00e9crit\u00a0:\n> Est-ce ?\n",
     "Hello\nOui.",
     {2}},
    {"Spanish",
     PLAIN "S\u00ed.\nEl lun, 5 ene 2004, Bob escribi\u00f3:\n> \u00bfEs?\n",
     "Hello\nS\u00ed.",
     {2}},
    {"Italian",
     PLAIN "S\u00ec.\nIl giorno lun 5 gen 2004 Bob ha scritto:\n> Lo \u00e8?\n",
     "Hello\nS\u00ec.",
     {2}},
    {"Portuguese",
     PLAIN "Sim.\nEm seg., 5 de jan. de 2004, Bob escreveu:\n> \u00c9?\n",
     "Hello\nSim.",
     {2}},
    {"news", PLAIN "In article <1@x>, bob@x (Bob) writes:\n>Is it?\nYes.\n", "Hello\nYes.", {2}},
    {"interleaved", PLAIN "> one\nfirst\n>> two\n> three\nsecond\n", "Hello\nfirst\n\nsecond", {3}},
    {"another sign",
     PLAIN "bob@x (Bob) writes:\n: one\n: two\nfirst\n: three\n",
     "Hello\nfirst",
     {4}},
    {"another sign, once",
     PLAIN "Bob writes:\n: one\nfirst\n",
     "Hello\nBob writes:\n: one\nfirst",
     {0}},
    {"a bar and an arrow", PLAIN "|> one\nfirst\n", "Hello\nfirst", {1}},
    {"an answer below a quoted original",
     PLAIN "----- Original Message -----\nFrom: Bob\nTo: Ann\n\n> one\n> two\nfirst\n",
     "Hello\nfirst",
     {5}},
    {"initials", PLAIN "BB> one\nfirst\n", "Hello\nfirst", {1}},
    {"no attribution without a quote",
     PLAIN "Ann wrote:\nI do not know.\n",
     "Hello\nAnn wrote:\nI do not know.",
     {0}},
    {"a last own line before a quote stays",
     PLAIN "I answer this:\n> one\n",
     "Hello\nI answer this:",
     {1}},
    {"an escaped From is not a quote",
     PLAIN "See\n>From what I know\nyes",
     "Hello\nSee\n>From what I know\nyes",
     {0}},
    {"an arrow is not a quote", PLAIN "a > b\n-> c\n", "Hello\na > b\n-> c", {0}},
    {"an original, English",
     PLAIN "Ok.\n\n-----Original Message-----\nFrom: Bob\nIs it?\n",
     "Hello\nOk.",
     {3}},
    {"an original, German",
     PLAIN "Ok.\n-----Urspr\u00fcngliche Nachricht-----\nIst es?\n",
     "Hello\nOk.",
     {2}},
    {"header lines without a marker",
     PLAIN "Ok.\n\n________________________________\nVon: Bob\nGesendet: Montag\nAn: Ann\nBetreff: "
           "x\n\nIst es?\n",
     "Hello\nOk.",
     {6}},
    {"French header lines, bold",
     PLAIN "Ok.\n\n*De\u00a0:* Bob\n*Envoy\u00e9\u00a0:* lundi\n*\u00c0\u00a0:* Ann\n\nEst-ce ?\n",
     "Hello\nOk.",
     {4}},
    {"a label alone is no header",
     PLAIN "I am\n\nFrom: the north\nof it.\n",
     "Hello\nI am\n\nFrom: the north\nof it.",
     {0}},
    {"a forward",
     PLAIN "FYI\n\n---------- Forwarded message ----------\nFrom: Bob\n\nwords\n",
     "Hello\nFYI",
     {3}},
    {"a forward of Apple's",
     PLAIN "FYI\n\nBegin forwarded message:\n\n> From: Bob\nwords\n",
     "Hello\nFYI",
     {3}},
    {"words about an original message",
     PLAIN "the -- original message was long\n",
     "Hello\nthe -- original message was long",
     {0}},
};

static const mail_case signatures[] = {
    {"the usual one", PLAIN "Text.\n-- \nAnn\nexample.org\n", "Hello\nText.", {0, 3}},
    {"without the blank", PLAIN "Text.\n--\nAnn\n", "Hello\nText.", {0, 2}},
    {"above a quote",
     PLAIN "Text.\n-- \nAnn\n\nOn 5 May Bob wrote:\n> x\n",
     "Hello\nText.",
     {2, 2}},
    {"-- used as a rule",
     PLAIN "a\n--\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
     "Hello\na\n--\n1\n2\n3\n4\n5\n6\n7\n8\n9",
     {0}},
    {"English closing", PLAIN "Text.\n\nBest regards,\nAnn\n", "Hello\nText.", {0, 2}},
    {"German closing",
     PLAIN "Text.\n\nMit freundlichen Gr\u00fc\u00dfen\n\nAnn\nBeispiel GmbH\n",
     "Hello\nText.",
     {0, 3}},
    {"French closing", PLAIN "Texte.\n\nCordialement,\nAnne\n", "Hello\nTexte.", {0, 2}},
    {"Spanish closing", PLAIN "Texto.\n\nUn saludo,\nAna\n", "Hello\nTexto.", {0, 2}},
    {"Italian closing", PLAIN "Testo.\n\nDistinti saluti\nAnna\n", "Hello\nTesto.", {0, 2}},
    {"Portuguese closing", PLAIN "Texto.\n\nAtenciosamente,\nAna\n", "Hello\nTexto.", {0, 2}},
    {"thanks without a name stay",
     PLAIN "Can you help?\n\nThanks\n",
     "Hello\nCan you help?\n\nThanks",
     {0}},
    {"a closing before a long line",
     PLAIN
     "Text.\n\nCheers,\nbut there is one more thing that I wanted to tell you, and it is long\n",
     "Hello\nText.\n\nCheers,\nbut there is one more thing that I wanted to tell you, and it is "
     "long",
     {0}},
    {"a closing before many lines",
     PLAIN "Text.\nThanks\n1\n2\n3\n4\n5\n6\n",
     "Hello\nText.\nThanks\n1\n2\n3\n4\n5\n6",
     {0}},
    {"first words are no closing", PLAIN "Thanks!\nAnn\n", "Hello\nThanks!\nAnn", {0}},
};

static const mail_case footers[] = {
    {"a list's",
     PLAIN "Text.\n\n_______________________________________________\nA mailing list\na@x.org\n",
     "Hello\nText.",
     {0, 0, 3}},
    {"a sponsor's and a list's",
     PLAIN
     "Text.\n\n-------------------------------------------------------\nThis list is sponsored "
     "by: x\n_______________________________________________\nA mailing list\n",
     "Hello\nText.",
     {0, 0, 4}},
    {"without a rule",
     PLAIN "Text.\n\nTo unsubscribe from this group, write.\n",
     "Hello\nText.",
     {0, 0, 1}},
    {"how to unsubscribe, in many lines",
     PLAIN "a\n\nTo unsubscribe:\n1\n2\n3\n4\n5\n6\n7\n8\n",
     "Hello\na\n\nTo unsubscribe:\n1\n2\n3\n4\n5\n6\n7\n8",
     {0}},
    {"a rule of the writer's",
     PLAIN "Text.\n--------------------\nmore\n",
     "Hello\nText.\n--------------------\nmore",
     {0}},
    {"how to unsubscribe, asked",
     PLAIN "How can I unsubscribe from the mailing list?\n",
     "Hello\nHow can I unsubscribe from the mailing list?",
     {0}},
};

CASE(quotes_are_cut) {
    CHECK(quotes, NULL);
}

CASE(signatures_are_cut) {
    CHECK(signatures, NULL);
}

CASE(footers_are_cut) {
    CHECK(footers, NULL);
}

CASE(every_rule_can_be_switched_off) {
    static const struct {
        const char *rule, *body;
    } rules[] = {
        {"quotes", "a\n> b"},
        {"attributions", "a\nBob wrote:"},
        {"originals", "a\n-----Original Message-----\nb"},
        {"forwards", "a\n--- Forwarded message ---\nb"},
        {"signatures", "a\n-- \nAnn"},
        {"closings", "a\nCheers,\nAnn"},
        {"footers", "a\n--------------------\nmailing list"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const char *const off[] = {rules[i].rule, "false", "format", "body", NULL};
        char want[128], mail[128];
        bool before_quote = strcmp(rules[i].rule, "attributions") == 0;
        snprintf(mail, sizeof mail, "%s%s", rules[i].body, before_quote ? "\n> q" : "");
        snprintf(want, sizeof want, "%s", rules[i].body);
        if (strcmp(rules[i].rule, "signatures") == 0) {
            strcpy(want, "a\n--\nAnn"); /* blanks at the end of a line go */
        }
        mail_line on, l;
        REQUIRE(mail_begin(&l, off) == DN_OK && mail_begin(&on, off + 2) == DN_OK);
        mail_one(&l, dn_span_of(mail));
        mail_one(&on, dn_span_of(mail));
        EXPECT_TEXT(mail_bytes(&l, "mail.body", 0).ptr, want);
        EXPECT_TEXT(mail_bytes(&on, "mail.body", 0).ptr, "a");
        mail_end(&l);
        mail_end(&on);
    }
}

CASE(attached_mails_can_be_read) {
    static const char *const off[] = {"forwards", "false", NULL};
    static const mail_case attached[] = {
        {"in the message",
         MULTI("mixed") PART("text/plain", "see")
             PART("message/rfc822", "From: b\nSubject: other\n\nits words") "--b--\n",
         "Hello\nsee\nits words",
         {0}},
        {"in a digest",
         MULTI("digest") "--b\n\nFrom: b\nSubject: c\n\nd\n--b--\n",
         "Hello\nd",
         {0}},
    };
    CHECK(attached, off);
}

CASE(subject_in_a_field_of_its_own) {
    static const char *const named[] = {"subject", "title", NULL};
    mail_line l;
    REQUIRE(mail_begin(&l, named) == DN_OK);
    mail_one(&l, dn_span_of("{\"title\":\"=?utf-8?q?=C3=A4?= b\",\"text\":\"x\"}"));
    EXPECT_TEXT(mail_bytes(&l, "mail.text", 0).ptr,
                "\u00e4 b\n{\"title\":\"=?utf-8?q?=C3=A4?= b\",\"text\":\"x\"}");
    EXPECT(dn_span_is(mail_bytes(&l, "mail.subject", 0), "\u00e4 b"));
    mail_one(&l, dn_span_of(PLAIN "no JSON, so a message"));
    EXPECT_TEXT(mail_bytes(&l, "mail.text", 0).ptr, "Hello\nno JSON, so a message");
    mail_one(&l, dn_span_of("{\"title\":null}"));
    EXPECT(!mail_bytes(&l, "mail.subject", 0).ptr);
    mail_end(&l);
}

CASE(views_share_one_text) {
    mail_line l;
    REQUIRE(mail_begin(&l, NULL) == DN_OK);
    mail_one(&l, dn_span_of(PLAIN "body"));
    dn_span text = mail_bytes(&l, "mail.text", 0);
    EXPECT(mail_bytes(&l, "mail.subject", 0).ptr == text.ptr);
    EXPECT(mail_bytes(&l, "mail.body", 0).ptr == text.ptr + 6);
    mail_end(&l);
}

CASE(wrong_settings_are_refused) {
    static const char *const both[] = {"format", "message", "subject", "title", NULL};
    static const char *const nowhere[] = {"from", "letter", NULL};
    mail_line l;
    EXPECT(mail_begin(&l, both) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "the subject stands in the message") != NULL);
    mail_end(&l);
    EXPECT(mail_begin(&l, nowhere) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, "letter") != NULL);
    mail_end(&l);
}

/* --- limits --------------------------------------------------------------------------------- */

static void expect_letter(dn_span mail, const char *reason, const char *detail) {
    static const char *const small[] = {"max_mail", "4MiB", NULL};
    mail_line l;
    REQUIRE(mail_begin(&l, small) == DN_OK);
    mail_add(&l, DN_SPAN(PLAIN "before"));
    mail_add(&l, mail);
    mail_add(&l, DN_SPAN(PLAIN "after"));
    mail_run(&l);
    EXPECT_INT(l.chunk->n_sel, 2);
    EXPECT_TEXT(mail_bytes(&l, "mail.text", 2).ptr, "Hello\nafter");
    REQUIRE(l.chunk->n_letters == 1);
    EXPECT_TEXT(l.chunk->letters->stage, "mail");
    EXPECT_TEXT(l.chunk->letters->reason, reason);
    EXPECT_TEXT(l.chunk->letters->detail.ptr, detail);
    EXPECT(l.chunk->letters->raw.ptr == mail.ptr);
    mail_end(&l);
}

/* `head`, then `n` times `piece`. */
static dn_span repeat(const char *head, const char *piece, size_t n) {
    size_t first = strlen(head), each = strlen(piece);
    char *text = dn_alloc(first + n * each + 1);
    memcpy(text, head, first);
    for (size_t i = 0; i < n; i++) {
        memcpy(text + first + i * each, piece, each);
    }
    return (dn_span){text, first + n * each};
}

CASE(what_passes_a_limit_is_buried) {
    dn_span header = repeat("From: a\nSubject: b\nX: ", "12345678\n ", 120000);
    expect_letter(header, "oversize header", "byte 0 of the mail: the header is longer than 1 MiB");
    dn_span many = repeat(MULTI("mixed"), "--b\n\n", 1000);
    expect_letter(many, "too many parts", "byte 5114 of the mail: there are more than 1,000 parts");
    dn_span large = repeat(PLAIN, "12345678", (4 << 20) / 8);
    expect_letter(large, "oversize mail",
                  "byte 4194304 of the mail: the mail is longer than max_mail");
    expect_letter(DN_SPAN(MIME
                          "Content-Type: text/plain; charset=iso-2022-kr-x\n\n\xb0\xa1 \xb0\xa2\xb0"
                          "\xa3\xb0\xa1\xb0\xa1\xb0\xa1"),
                  "unknown characters",
                  "byte 110 of the mail: most bytes from here on are of no known character set");
    expect_letter((dn_span){NULL, 0}, "no mail", "byte 0 of the mail: the record has no text");
    free((char *)header.ptr);
    free((char *)many.ptr);
    free((char *)large.ptr);
}

CASE(deep_nesting_is_buried) {
    char text[8192] = "";
    size_t n = 0;
    for (int i = 0; i <= 50; i++) {
        n +=
            (size_t)snprintf(text + n, sizeof text - n,
                             "%sSubject: s\nContent-Type: multipart/mixed; boundary=b%d\n\n--b%d\n",
                             i ? "" : "From: a\n", i, i);
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "\ndeep");
    char detail[96];
    snprintf(detail, sizeof detail, "byte %zu of the mail: parts nest deeper than 50", n - 5);
    expect_letter((dn_span){text, n}, "deep nesting", detail);
}

CASE(hostile_mails_end_soon) {
    static const struct {
        const char *head, *piece;
    } hostile[] = {
        {"From: a\nSubject: ", "=?"},
        {"From: a\nSubject: ", "=?a?q?"},
        {"From: a\nSubject: ", "=?a?q?x?= "},
        {PLAIN, "\n"},
        {PLAIN, "> \n"},
        {PLAIN, "--\n"},
        {PLAIN, "x wrote:\n"},
        {PLAIN, "From: a\n"},
        {MIME "Content-Type: text/html\n\n", "<"},
        {MIME "Content-Type: text/html\n\n", "<a \""},
        {MIME "Content-Type: text/html\n\n", "<!--"},
        {MIME "Content-Type: text/html\n\n", "<script>"},
        {MIME "Content-Type: text/html\n\n", "<blockquote>"},
        {MIME "Content-Type: text/html\n\n", "&"},
        {MULTI("alternative"), "--b\nContent-Type: x/y\n\n"},
        {MIME "Content-Type: multipart/mixed; boundary=", "-"},
        {MIME "Content-Type: text/plain; ", ";a=\""},
    };
    mail_line l;
    REQUIRE(mail_begin(&l, NULL) == DN_OK);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        dn_span mail = repeat(hostile[i].head, hostile[i].piece, 300000 / strlen(hostile[i].piece));
        mail_one(&l, mail);
        EXPECT_INT(l.chunk->n_sel + l.chunk->n_letters, 1);
        free((char *)mail.ptr);
    }
    mail_end(&l);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
