/* Random records written as CSV and JSON Lines, compressed, read back: equal whatever the codec and
 * the size of the reads. */
#include "harness.h"
#include "io/stream.h"
#include "source/sources.h"
#include "test.h"

enum { RECORDS = 3000, TEXT_MAX = 400 };

static const char *const codecs[] = {"plain", "gzip", "zstd", "xz"};

typedef struct made {
    char text[TEXT_MAX * 4 + 1];
    char user[24];
    int64_t created_ms;
} made;

static made records[RECORDS];

static size_t random_text(char *out, size_t max_chars) {
    static const char *const pieces[] = {"a",  "b", " ", ",", "\"", "\n", "\r", "\r\n", "'",
                                         "\\", "{", "é", "Ж", "世", "👋",  "\t", "\"\"", "http://x"};
    size_t n = 1 + dn_random() % max_chars, size = 0;
    for (size_t i = 0; i < n; i++) {
        const char *piece = pieces[dn_random() % (sizeof pieces / sizeof *pieces)];
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
        if (size > TEXT_MAX * 3) {
            break;
        }
    }
    out[size] = 0;
    return size;
}

static void make_records(void) {
    for (int i = 0; i < RECORDS; i++) {
        random_text(records[i].text, dn_random() % 20 ? 30 : TEXT_MAX);
        snprintf(records[i].user, sizeof records[i].user, "user%d", (int)(dn_random() % 100));
        records[i].created_ms = (int64_t)(dn_random() >> 20);
    }
}

/** Quoted where it must be, and sometimes where it need not. */
static char *csv_field(char *at, const char *text) {
    if (!strpbrk(text, ",\"\r\n") && dn_random() % 3) {
        return at + sprintf(at, "%s", text);
    }
    *at++ = '"';
    for (; *text; text++) {
        if (*text == '"') {
            *at++ = '"';
        }
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

static size_t as_csv(char *out) {
    char *at = out + sprintf(out, "text,\"created_at\",user\r\n");
    for (int i = 0; i < RECORDS; i++) {
        at = csv_field(at, records[i].text);
        at += sprintf(at, ",%lld,", (long long)records[i].created_ms);
        at = csv_field(at, records[i].user);
        at += sprintf(at, "%s", dn_random() % 2 ? "\n" : "\r\n");
    }
    return (size_t)(at - out);
}

static char *json_text(char *at, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            at += sprintf(at, "\\%c", *p);
        } else if (*p < ' ') {
            at += sprintf(at, "\\u%04x", *p);
        } else {
            *at++ = (char)*p;
        }
    }
    return at;
}

static size_t as_json(char *out) {
    char *at = out;
    for (int i = 0; i < RECORDS; i++) {
        at += sprintf(at, "{\"user\":\"%s\", \"x\": [1,{}], \"text\" : \"", records[i].user);
        at = json_text(at, records[i].text);
        at += sprintf(at, "\",\"created_at\":%lld}%s", (long long)records[i].created_ms,
                      dn_random() % 2 ? "\n" : "\r\n");
    }
    return (size_t)(at - out);
}

static void expect_equal(const char *name, const void *bytes, size_t size) {
    char path[300];
    snprintf(path, sizeof path, "path=%s", temp_file(name, bytes, size));
    plan todo = {.ops = &dn_source_corpus, .props = {path}};
    outcome run = run_source(&todo);
    run_sort(&run);
    EXPECT_INT(run.status, DN_OK);
    EXPECT_INT(run.n, RECORDS);
    for (size_t i = 0; i < run.n; i++) {
        EXPECT_TEXT(run.rows[i].text, records[i].text);
        EXPECT_TEXT(run.rows[i].user, records[i].user);
        EXPECT_INT(run.rows[i].event_ms, records[i].created_ms);
    }
    run_free(&run);
}

static void expect_round_trip(const char *name, size_t (*write)(char *out)) {
    char *bytes = malloc((size_t)RECORDS * (TEXT_MAX * 8 + 200));
    make_records();
    size_t size = write(bytes);
    for (int c = 0; c < 4; c++) {
        size_t n;
        unsigned char *packed = squeeze(codecs[c], bytes, size, &n);
        expect_equal(name, packed, n);
        free(packed);
    }
    free(bytes);
}

CASE(roundtrip_csv) {
    expect_round_trip("a.csv", as_csv);
}

CASE(roundtrip_json_lines) {
    expect_round_trip("a.jsonl", as_json);
}

/** The stream itself, read in pieces of random size. */
CASE(roundtrip_stream_in_any_pieces) {
    enum { SIZE = 300000 };
    static unsigned char bytes[SIZE], back[SIZE + 1];
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (unsigned char)(dn_random() % 7 ? i / 100 : dn_random());
    }
    for (int c = 0; c < 4; c++) {
        size_t n, have = 0, n_got = 1;
        unsigned char *packed = squeeze(codecs[c], bytes, SIZE, &n);
        dn_stream *stream;
        REQUIRE(dn_stream_open(temp_file("s", packed, n), &stream) == DN_OK);
        EXPECT_TEXT(dn_stream_codec(stream), codecs[c]);
        while (n_got) {
            size_t want = 1 + dn_random() % (dn_random() % 4 ? 100 : 50000);
            want = want < sizeof back - have ? want : sizeof back - have;
            REQUIRE(dn_stream_read(stream, back + have, want, &n_got) == DN_OK);
            have += n_got;
        }
        EXPECT_INT(have, SIZE);
        EXPECT(!memcmp(bytes, back, SIZE));
        uint64_t done, total;
        dn_stream_progress(stream, &done, &total);
        EXPECT_INT(done, n);
        EXPECT_INT(total, n);
        dn_stream_close(stream);
        free(packed);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
