/* Mails put together from what mails are made of, and mutated, through the stage mail: nothing is
 * read out of bounds (the mails lie in blocks of their exact size), every row is kept or buried,
 * and what is kept is valid UTF-8 whose views fit together and does not depend on the mail before.
 */
#include "../text/mail_line.h"
#include "base/utf8.h"

enum { ROUNDS = 20000, MAX_PIECES = 60, MAX_MAIL = 4096 };

static const char *const pieces[] = {
    "From: a\n",
    "Subject: ",
    "Subject: =?utf-8?B?w6TDtg==?= =?utf-8?q?=C3?=",
    "=?iso-8859-1?q?=E4_x?=",
    "=?",
    "?=",
    "\n",
    "\r\n",
    "\n\n",
    "\n ",
    "MIME-Version: 1.0\n",
    "Content-Type: multipart/mixed; boundary=\"b\"\n\n",
    "Content-Type: multipart/alternative; boundary=b\n\n",
    "Content-Type: multipart/digest; boundary=c\n\n",
    "Content-Type: message/rfc822\n\n",
    "Content-Type: text/html; charset=utf-8\n\n",
    "Content-Type: text/plain; charset=koi8-r\n",
    "Content-Type: text/plain; charset=\"",
    "Content-Transfer-Encoding: base64\n\n",
    "Content-Transfer-Encoding: quoted-printable\n\n",
    "Content-Disposition: attachment\n",
    "--b\n",
    "--b--\n",
    "--c\n",
    "--",
    "-- \n",
    "SGkgdGhlcmU=",
    "=E4=",
    "=\n",
    "> ",
    ">From ",
    "On 5 May Bob wrote:\n",
    "-----Original Message-----\n",
    "---------- Forwarded message ----------\n",
    "________________________________\n",
    "From: b\nSent: c\nTo: d\n",
    "Best regards,\n",
    "a mailing list\n",
    "To unsubscribe\n",
    "<html>",
    "<p>",
    "<blockquote>",
    "</blockquote>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<a href=\"",
    "&amp;",
    "&#x1F600;",
    "&#xffffffff;",
    "&",
    "words ",
    "\xe4",
    "\xc3",
    "\u00e9",
    "\u2028",
    ";",
    "\"",
};

static size_t random_mail(char *out) {
    size_t size = 0;
    for (uint64_t n = dn_random() % MAX_PIECES; n; n--) {
        const char *piece = pieces[dn_random() % (sizeof pieces / sizeof *pieces)];
        if (size + strlen(piece) <= MAX_MAIL) {
            memcpy(out + size, piece, strlen(piece));
            size += strlen(piece);
        }
    }
    for (uint64_t n = size ? dn_random() % 4 : 0; n; n--) {
        out[dn_random() % size] = (char)dn_random();
    }
    return size;
}

static void check_row(const mail_line *l) {
    dn_span text = mail_bytes(l, "mail.text", 0), body = mail_bytes(l, "mail.body", 0);
    dn_span subject = mail_bytes(l, "mail.subject", 0);
    EXPECT(dn_utf8_valid_prefix(text) == text.len && !memchr(text.ptr, 0, text.len));
    EXPECT(body.ptr + body.len == text.ptr + text.len);
    EXPECT_INT(text.len, subject.len + body.len + (subject.ptr != NULL));
    EXPECT(!subject.ptr || !memchr(subject.ptr, '\n', subject.len));
    for (const char *const *n = (const char *const[]){"mail.quoted", "mail.signed", "mail.footer",
                                                      "mail.damaged", NULL};
         *n; n++) {
        EXPECT(mail_count(l, *n, 0) >= 0);
    }
}

static void fuzz(const char *format, const char *rules) {
    const char *const settings[] = {"format", format, "forwards", rules, NULL};
    mail_line used, fresh;
    REQUIRE(mail_begin(&used, settings) == DN_OK);
    for (int round = 0; round < ROUNDS; round++) {
        char buffer[MAX_MAIL];
        size_t size = random_mail(buffer);
        char *exact = malloc(size ? size : 1);
        memcpy(exact, buffer, size);
        mail_one(&used, (dn_span){exact, size});
        EXPECT_INT(used.chunk->n_sel + used.chunk->n_letters, 1);
        if (used.chunk->n_sel) {
            check_row(&used);
        }
        if (round % 64 == 0 && used.chunk->n_sel) {
            REQUIRE(mail_begin(&fresh, settings) == DN_OK);
            mail_one(&fresh, (dn_span){exact, size});
            EXPECT(dn_span_equal(mail_bytes(&fresh, "mail.text", 0),
                                 mail_bytes(&used, "mail.text", 0)));
            mail_end(&fresh);
        }
        free(exact);
    }
    mail_end(&used);
}

CASE(fuzz_messages) {
    fuzz("message", "true");
    fuzz("auto", "false");
}

CASE(fuzz_bodies) {
    fuzz("body", "true");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
