/* text -> mail.subject, mail.body, mail.text: a mail as a classifier should see it, the subject
 * kept, quotes and signatures cut. The mail is a whole message, or a body whose subject stands in a
 * field of its own. */
#include "io/scan.h"
#include "text/charset.h"
#include "text/html_text.h"
#include "text/mime.h"
#include "text/own_words.h"
#include "text/stages.h"

#include <stdio.h>
#include <strings.h>

enum { SUBJECT, BODY, TEXT, QUOTED, SIGNED, FOOTER, DAMAGED, COLUMNS };

enum { FORMAT_AUTO, FORMAT_MESSAGE, FORMAT_BODY };

typedef struct mail_conf {
    char *from, *subject_field;
    int format;
    int64_t max_mail_bytes;
    bool quotes, attributions, originals, forwards, signatures, closings, footers;
    int value, input, column[COLUMNS];
    dn_scan scan;
} mail_conf;

typedef struct mail_worker {
    dn_mime mime;
    dn_own_words own;
    dn_text_buffer html, body;
} mail_worker;

static const char *const formats[] = {"auto", "message", "body", NULL};

#define CUT_PROP(field, sentence)                                                                  \
    {                                                                                              \
        .name = #field, .type = DN_P_BOOL, .offset = offsetof(mail_conf, field),                   \
        .initial = "true", .text = sentence                                                        \
    }

static const dn_prop props[] = {
    {.name = "from",
     .type = DN_P_TEXT,
     .offset = offsetof(mail_conf, from),
     .initial = "text",
     .text = "The column to read; value: the record itself is the message, as it came."},
    {.name = "format",
     .type = DN_P_CHOICE,
     .offset = offsetof(mail_conf, format),
     .initial = "auto",
     .choices = formats,
     .text = "A whole message with its header, a body alone, or what it looks like; a record with "
             "the field `subject` is a body."},
    {.name = "subject",
     .type = DN_P_TEXT,
     .offset = offsetof(mail_conf, subject_field),
     .initial = "",
     .text = "JSON field of the record that holds the subject of a body; empty: there is none."},
    {.name = "max_mail",
     .type = DN_P_BYTES,
     .offset = offsetof(mail_conf, max_mail_bytes),
     .initial = "16MiB",
     .min = 1,
     .max = 1 << 30,
     .text = "A longer mail becomes a dead letter."},
    CUT_PROP(quotes, "Whether lines that begin with > are cut."),
    CUT_PROP(attributions, "Whether \"On ... wrote:\" is cut before a quote."),
    CUT_PROP(originals, "Whether an answered message is cut: its marker or header lines, and all "
                        "that follows."),
    CUT_PROP(forwards, "Whether a message passed on is cut, inside the text or attached."),
    CUT_PROP(signatures, "Whether \"-- \" and the lines behind it are cut, at most 20."),
    CUT_PROP(closings, "Whether \"Best regards\" and the like are cut, with up to 5 short lines "
                       "behind them."),
    CUT_PROP(footers, "Whether the footer of a mailing list is cut."),
    {0},
};

#define COUNT_FIELD(word, sentence)                                                                \
    {                                                                                              \
        .name = word, .type = DN_I64, .width = 1, .units = "1", .long_name = sentence,             \
        .group = "records"                                                                         \
    }

#define TEXT_FIELD(word, sentence, passing)                                                        \
    {                                                                                              \
        .name = word, .type = DN_BYTES, .width = 1, .units = "", .long_name = sentence,            \
        .group = "records", .transient = passing                                                   \
    }

static const dn_field columns[COLUMNS] = {
    [SUBJECT] = TEXT_FIELD("mail.subject", "subject of the mail, decoded", false),
    [BODY] = TEXT_FIELD("mail.body", "what the writer of the mail said in it", false),
    [TEXT] = TEXT_FIELD("mail.text", "subject, line feed, body", true),
    [QUOTED] = COUNT_FIELD("mail.quoted", "lines cut as quote, attribution, original or forward"),
    [SIGNED] = COUNT_FIELD("mail.signed", "lines cut as signature or closing"),
    [FOOTER] = COUNT_FIELD("mail.footer", "lines cut as footer of a mailing list"),
    [DAMAGED] = COUNT_FIELD("mail.damaged", "damaged places of the mail that were read past"),
};

static dn_status mail_bind(void *conf, const dn_bind *bind) {
    mail_conf *c = conf;
    const char *field = c->subject_field;
    DN_TRY(dn_schema_need(bind->schema, "mail", c->from, DN_BYTES, &c->input));
    c->value = dn_schema_find(bind->schema, "value");
    if (*field) {
        if (c->format == FORMAT_MESSAGE) {
            return DN_FAIL(CONFIG, "mail: with format: message the subject stands in the message; "
                                   "leave subject out, or set format: auto");
        }
        DN_TRY(dn_schema_need(bind->schema, "mail", "value", DN_BYTES, &c->value));
        DN_TRY(dn_scan_compile(&field, 1, &c->scan));
    }
    for (int i = 0; i < COLUMNS; i++) {
        DN_TRY(dn_schema_add(bind->schema, columns[i], &c->column[i]));
    }
    return DN_OK;
}

static dn_status mail_open(const void *conf, void **worker) {
    const mail_conf *c = conf;
    mail_worker *w = *worker = dn_alloc(sizeof *w);
    const bool rule[DN_CUTS] = {
        [DN_CUT_FOOTER] = c->footers,           [DN_CUT_ORIGINAL] = c->originals,
        [DN_CUT_FORWARD] = c->forwards,         [DN_CUT_QUOTE] = c->quotes,
        [DN_CUT_ATTRIBUTION] = c->attributions, [DN_CUT_SIGNATURE] = c->signatures,
        [DN_CUT_CLOSING] = c->closings,
    };
    memcpy(w->own.rule, rule, sizeof rule);
    w->mime.attached = !c->forwards;
    return DN_OK;
}

static bool refuse(dn_mime *mime, const char *fault, const char *detail, size_t at) {
    mime->fault = fault;
    mime->detail = detail;
    mime->fault_at = at;
    return false;
}

/* The subject in the record's own field; ptr NULL where there is none. */
static dn_span field_subject(const mail_conf *c, dn_chunk *chunk, uint16_t row) {
    dn_scan_value value;
    dn_scan_error error;
    dn_span record = *c->subject_field ? dn_chunk_bytes(chunk, c->value)[row] : (dn_span){NULL, 0};
    bool there = record.ptr && dn_scan_record(&c->scan, record, &chunk->arena, &value, &error) &&
                 value.type == DN_SCAN_STRING;
    return there ? value.bytes : (dn_span){NULL, 0};
}

static bool looks_like_html(dn_span text) {
    while (text.len && strchr(" \t\r\n", text.ptr[0])) {
        text = (dn_span){text.ptr + 1, text.len - 1};
    }
    return (text.len >= 5 && strncasecmp(text.ptr, "<html", 5) == 0) ||
           (text.len >= 9 && strncasecmp(text.ptr, "<!doctype", 9) == 0);
}

static void read_body(mail_worker *w, dn_span subject, dn_span body) {
    dn_mime *mime = &w->mime;
    bool html = looks_like_html(body);
    mime->subject.len = mime->text.len = w->html.len = 0;
    mime->n_damaged = mime->n_lost = 0;
    mime->lost_at = 0;
    if (subject.ptr) {
        dn_mime_header_text(mime, subject, &mime->subject);
    }
    mime->n_lost =
        (int64_t)dn_charset_decode(DN_SPAN(""), true, body, html ? &w->html : &mime->text);
    mime->n_damaged += mime->n_lost;
    if (html) {
        dn_html_text(dn_text_view(&w->html), &mime->text);
    }
}

static bool read_mail(const mail_conf *c, mail_worker *w, dn_chunk *chunk, uint16_t row) {
    dn_mime *mime = &w->mime;
    dn_span mail = dn_chunk_bytes(chunk, c->input)[row];
    if (!mail.ptr) {
        return refuse(mime, "no mail", "the record has no text", 0);
    }
    if ((int64_t)mail.len > c->max_mail_bytes) {
        return refuse(mime, "oversize mail", "the mail is longer than max_mail",
                      (size_t)c->max_mail_bytes);
    }
    dn_span subject = field_subject(c, chunk, row);
    bool whole = c->format == FORMAT_MESSAGE ||
                 (c->format == FORMAT_AUTO && !subject.ptr && dn_mime_is_message(mail));
    if (!whole) {
        read_body(w, subject, mail);
    } else if (!dn_mime_read(mime, mail)) {
        return false;
    }
    return mime->n_lost <= (int64_t)mime->text.len ||
           refuse(mime, "unknown characters",
                  "most bytes from here on are of no known character "
                  "set",
                  mime->lost_at);
}

/* One copy in the arena, of which subject and body are views. */
static void put_mail(const mail_conf *c, mail_worker *w, dn_chunk *chunk, uint16_t row) {
    dn_span subject = dn_text_view(&w->mime.subject);
    w->body.len = 0;
    dn_own_words_cut(&w->own, dn_text_view(&w->mime.text), &w->body);
    size_t at = subject.len ? subject.len + 1 : 0, size = at + w->body.len;
    char *text = dn_arena_take(&chunk->arena, size + 1);
    memcpy(text, subject.ptr, subject.len);
    if (at) {
        text[subject.len] = '\n';
        dn_chunk_bytes(chunk, c->column[SUBJECT])[row] = (dn_span){text, subject.len};
    }
    memcpy(text + at, dn_text_view(&w->body).ptr, w->body.len);
    text[size] = 0;
    dn_chunk_bytes(chunk, c->column[BODY])[row] = (dn_span){text + at, w->body.len};
    dn_chunk_bytes(chunk, c->column[TEXT])[row] = (dn_span){text, size};
    const int64_t *n = w->own.n_cut;
    dn_chunk_i64(chunk, c->column[QUOTED])[row] =
        n[DN_CUT_QUOTE] + n[DN_CUT_ATTRIBUTION] + n[DN_CUT_ORIGINAL] + n[DN_CUT_FORWARD];
    dn_chunk_i64(chunk, c->column[SIGNED])[row] = n[DN_CUT_SIGNATURE] + n[DN_CUT_CLOSING];
    dn_chunk_i64(chunk, c->column[FOOTER])[row] = n[DN_CUT_FOOTER];
    dn_chunk_i64(chunk, c->column[DAMAGED])[row] = w->mime.n_damaged;
}

static void bury(const mail_conf *c, const dn_mime *mime, dn_chunk *chunk, uint16_t row) {
    char text[160];
    int size =
        snprintf(text, sizeof text, "byte %zu of the mail: %s", mime->fault_at, mime->detail);
    dn_span detail = dn_arena_copy(&chunk->arena, (dn_span){text, (size_t)size});
    int raw = c->value >= 0 ? c->value : c->input;
    dn_chunk_bury(chunk, row, "mail", mime->fault, detail, dn_chunk_bytes(chunk, raw)[row]);
}

static dn_status mail_run(const void *conf, void *worker, dn_chunk *chunk) {
    const mail_conf *c = conf;
    mail_worker *w = worker;
    uint32_t n_letters = chunk->n_letters;
    for (uint32_t i = 0; i < chunk->n_sel; i++) {
        if (read_mail(c, w, chunk, chunk->sel[i])) {
            put_mail(c, w, chunk, chunk->sel[i]);
        } else {
            bury(c, &w->mime, chunk, chunk->sel[i]);
        }
    }
    if (chunk->n_letters != n_letters) {
        dn_chunk_select(chunk);
    }
    return DN_OK;
}

static void mail_close(void *worker) {
    mail_worker *w = worker;
    dn_mime_free(&w->mime);
    dn_own_words_free(&w->own);
    dn_text_free(&w->html);
    dn_text_free(&w->body);
    free(w);
}

const dn_stage_ops dn_stage_mail = {
    .name = "mail",
    .summary = "Reads a mail: subject and the writer's own words, without quotes and signatures.",
    .order = DN_PURE,
    .props = props,
    .conf_size = sizeof(mail_conf),
    .bind = mail_bind,
    .open = mail_open,
    .run = mail_run,
    .close = mail_close,
};
