/* Times the stage mail over mails in memory, four kinds of our own. What the columns mean:
 * README.md. */
#include "load.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "text/stages.h"

#include <stdlib.h>
#include <sysexits.h>

enum { N_MAILS = 2000, PASSES = 15, KINDS = 4 };

#define HEAD                                                                                       \
    "Return-Path: <ann@example.org>\r\nReceived: from a.example by b.example; Mon, 5 Jan 2026\r\n" \
    "From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3="  \
    "9Fe?= and an order\r\nMIME-Version: 1.0\r\n"
#define TEXT                                                                                       \
    "Hello Bob,\r\n\r\nthe order of last week has not come yet, could you please look where it "   \
    "is?\r\n"                                                                                      \
    "It was the one with two lamps.\r\n\r\n"
#define QUOTE                                                                                      \
    "On Mon, 5 Jan 2026 at 10:00, Bob <bob@example.org> wrote:\r\n> Dear Ann,\r\n> thank you for " \
    "your order, we send it tomorrow.\r\n> Bob\r\n"

static const char *const kinds[KINDS] = {
    HEAD "\r\n" TEXT "-- \r\nAnn\r\n",
    HEAD "\r\n" TEXT QUOTE QUOTE QUOTE,
    HEAD "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; "
         "charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" TEXT TEXT
         "Gr=C3=BC=C3=9Fe =\r\nAnn\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>" TEXT TEXT
         "</p>\r\n--b--\r\n",
    HEAD "Content-Type: text/html; charset=iso-8859-1\r\n\r\n<html><body><p>" TEXT "</p><div>" TEXT
         "</div><blockquote>" TEXT "</blockquote></body></html>\r\n",
};

typedef struct line {
    dn_schema schema;
    int value, text;
    void *conf, *worker;
    dn_chunk *chunk;
} line;

static void die(int status) {
    fprintf(stderr, "mails: %s\n", dn_failure_last()->text);
    exit(status);
}

static dn_status set_up(line *l) {
    const dn_stage_ops *mail = &dn_stage_mail;
    dn_field value = {
        .name = "value", .type = DN_BYTES, .width = 1, .units = "", .group = "records"};
    dn_bind bind = {.schema = &l->schema, .job = "bench", .pipeline = "bench", .base_dir = "."};
    DN_TRY(dn_schema_add(&l->schema, value, &l->value));
    l->conf = dn_alloc(mail->conf_size);
    DN_TRY(dn_props_init(mail->props, l->conf));
    DN_TRY(dn_prop_set(dn_prop_find(mail->props, "from"), l->conf, "value"));
    DN_TRY(mail->bind(l->conf, &bind));
    DN_TRY(mail->open(l->conf, &l->worker));
    l->text = dn_schema_find(&l->schema, "mail.text");
    l->chunk = dn_chunk_new(&l->schema);
    return DN_OK;
}

static void tear_down(line *l) {
    dn_chunk_free(l->chunk);
    dn_stage_mail.close(l->worker);
    dn_props_free(dn_stage_mail.props, l->conf);
    free(l->conf);
}

/* All mails once: CPU time of the stage, bytes made and their digest. */
static int64_t run_pass(line *l, const load *mails, dn_hasher *hasher, size_t *made) {
    int64_t cpu_ns = 0;
    dn_hasher_reset(hasher);
    *made = 0;
    for (size_t first = 0; first < mails->n; first += DN_CHUNK_ROWS) {
        dn_chunk_reset(l->chunk);
        for (size_t i = first; i < mails->n && i < first + DN_CHUNK_ROWS; i++) {
            uint32_t row = dn_chunk_append(l->chunk, (int64_t)i, DN_NULL_I64, DN_NULL_I64);
            dn_chunk_bytes(l->chunk, l->value)[row] = mails->record[i];
        }
        int64_t begin = dn_thread_cpu_ns();
        if (dn_stage_mail.run(l->conf, l->worker, l->chunk) != DN_OK) {
            die(EX_SOFTWARE);
        }
        cpu_ns += dn_thread_cpu_ns() - begin;
        for (uint32_t i = 0; i < l->chunk->n_sel; i++) {
            dn_span text = dn_chunk_bytes(l->chunk, l->text)[l->chunk->sel[i]];
            dn_hasher_add(hasher, text.ptr, text.len);
            *made += text.len;
        }
    }
    return cpu_ns;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, line *l, const load *mails) {
    int64_t ns[PASSES];
    size_t made, bytes = 0;
    dn_hasher *hasher = dn_hasher_new();
    run_pass(l, mails, hasher, &made); /* warms the arena and the buffers */
    uint64_t digest = dn_hasher_value(hasher);
    bool same = true;
    for (int i = 0; i < PASSES; i++) {
        ns[i] = run_pass(l, mails, hasher, &made);
        same = same && dn_hasher_value(hasher) == digest;
    }
    for (size_t i = 0; i < mails->n; i++) {
        bytes += mails->record[i].len;
    }
    qsort(ns, PASSES, sizeof *ns, by_value);
    double median = (double)ns[PASSES / 2];
    printf("  %-12s %8zu %10.0f %10.0f %8.1f %8.1f %8.1f  %-5s %016llx\n", name, mails->n,
           (double)bytes / (double)mails->n, median / (double)mails->n,
           (double)bytes / median * 1e3, 100 * (double)made / (double)bytes,
           100 * (double)(ns[PASSES * 3 / 4] - ns[PASSES / 4]) / median, same ? "same" : "WRONG",
           (unsigned long long)digest);
    dn_hasher_free(hasher);
    if (!same) {
        exit(1);
    }
}

int main(void) {
    static const char *const names[KINDS] = {"plain", "reply", "alternative", "html"};
    static dn_span record[N_MAILS];
    line l = {.conf = NULL};
    if (set_up(&l) != DN_OK) {
        die(EX_SOFTWARE);
    }
    printf("# %-12s %8s %10s %10s %8s %8s %8s  %-5s %s\n", "mails", "n", "bytes", "ns/mail", "MB/s",
           "kept %", "spread %", "check", "digest");
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < N_MAILS; i++) {
            record[i] = dn_span_of(kinds[k]);
        }
        measure(names[k], &l, &(load){.record = record, .n = N_MAILS});
    }
    tear_down(&l);
    return EX_OK;
}
