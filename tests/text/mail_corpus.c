/* Mail in the wild: every message of the SpamAssassin corpus and of 20 Newsgroups through the stage
 * mail, where $DUNLIN_DATA has them. */
#include "base/utf8.h"
#include "io/stream.h"
#include "mail_line.h"

#include <unistd.h>

enum { TAR_BLOCK = 512, MAX_FILE = 1 << 20 };

/* What a corpus became. */
typedef struct tally {
    int64_t mails, buried, subjects, bodies, quoted, signed_, footers, damaged;
    int64_t in_bytes, out_bytes;
} tally;

static bool read_all(dn_stream *stream, char *out, size_t size) {
    for (size_t n = 0, got; n < size; n += got) {
        if (dn_stream_read(stream, out + n, size - n, &got) != DN_OK || got == 0) {
            return false;
        }
    }
    return true;
}

static void count(mail_line *l, tally *t) {
    t->mails++;
    t->buried += l->chunk->n_letters;
    for (uint32_t i = 0; i < l->chunk->n_letters; i++) {
        printf("    buried: %s, %s\n", l->chunk->letters[i].reason,
               l->chunk->letters[i].detail.ptr);
    }
    if (!l->chunk->n_sel) {
        return;
    }
    dn_span text = mail_bytes(l, "mail.text", 0);
    EXPECT(dn_utf8_valid_prefix(text) == text.len);
    t->subjects += mail_bytes(l, "mail.subject", 0).ptr != NULL;
    t->bodies += mail_bytes(l, "mail.body", 0).len != 0;
    t->quoted += mail_count(l, "mail.quoted", 0) > 0;
    t->signed_ += mail_count(l, "mail.signed", 0) > 0;
    t->footers += mail_count(l, "mail.footer", 0) > 0;
    t->damaged += mail_count(l, "mail.damaged", 0) > 0;
    t->out_bytes += (int64_t)text.len;
}

/* Runs the files of a tar archive whose names hold `part`; `line_end` is what stands in them for a
 * line feed. */
static bool run_archive(const char *name, const char *part, char line_end, tally *t) {
    const char *data = getenv("DUNLIN_DATA");
    char *path = dn_format("%s/%s", data ? data : "../shared/data", name);
    dn_stream *stream = NULL;
    bool there = access(path, R_OK) == 0 && dn_stream_open(path, &stream) == DN_OK;
    char head[TAR_BLOCK], *file = dn_alloc(MAX_FILE);
    mail_line l;
    *t = (tally){0};
    EXPECT(mail_begin(&l, NULL) == DN_OK);
    while (there && read_all(stream, head, sizeof head) && head[0]) {
        size_t size = strtoul(head + 124, NULL, 8);
        EXPECT(size <= MAX_FILE - TAR_BLOCK);
        if (!read_all(stream, file, (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK)) {
            break;
        }
        if (head[156] == '0' && strstr(head, part)) {
            for (size_t i = 0; i < size; i++) {
                file[i] = (char)(file[i] == line_end ? '\n' : file[i]);
            }
            mail_one(&l, (dn_span){file, size});
            count(&l, t);
            t->in_bytes += (int64_t)size;
        }
    }
    mail_end(&l);
    dn_stream_close(stream);
    free(file);
    free(path);
    printf("    %lld mails, %lld buried; %lld with subject, %lld with body; %lld quoted, %lld "
           "signed, %lld with footer, %lld damaged; %lld of %lld bytes kept\n",
           (long long)t->mails, (long long)t->buried, (long long)t->subjects, (long long)t->bodies,
           (long long)t->quoted, (long long)t->signed_, (long long)t->footers,
           (long long)t->damaged, (long long)t->out_bytes, (long long)t->in_bytes);
    return there;
}

CASE(all_of_spamassassin) {
    tally t;
    if (!run_archive("spamassassin.tar.xz", "/0", '\n', &t)) {
        SKIP("$DUNLIN_DATA has no spamassassin.tar.xz");
    }
    EXPECT_INT(t.mails, 3250);
    EXPECT(t.buried <= 10); /* Chinese and Japanese */
    EXPECT(t.subjects >= 3240 && t.bodies >= 3200);
    EXPECT(t.quoted >= 1200 && t.quoted <= 1700);
    EXPECT(t.footers >= 700 && t.footers <= 1000);
    EXPECT(t.signed_ >= 600 && t.signed_ <= 1200);
    EXPECT(t.damaged <= 100);
    EXPECT(t.out_bytes > t.in_bytes / 8 && t.out_bytes < t.in_bytes / 2);
}

/* The archive has tabs for line feeds. */
CASE(all_of_20_newsgroups) {
    tally t;
    if (!run_archive("20news-bydate.tar.xz", "-train/", '\t', &t)) {
        SKIP("$DUNLIN_DATA has no 20news-bydate.tar.xz");
    }
    EXPECT_INT(t.mails, 11314);
    EXPECT_INT(t.buried, 0);
    EXPECT(t.subjects >= 11250 && t.bodies >= 11250);
    EXPECT(t.quoted >= 6000 && t.quoted <= 8000);
    EXPECT(t.out_bytes > t.in_bytes / 2 && t.out_bytes < t.in_bytes * 3 / 4);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
