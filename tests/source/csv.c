/* The grammar of RFC 4180, byte by byte, through files. */
#include "source/csv.h"

#include "base/hash.h"

#include "harness.h"
#include "test.h"

enum { SHOWN = 4096 };

/** All records as one line: fields in brackets, records parted by blanks; what is bad as {why}; a
 * failure as !. */
static void show(const char *path, char out[SHOWN]) {
    dn_feed feed;
    static dn_csv csv;
    dn_csv_state state = DN_CSV_END;
    size_t used = 0;
    out[0] = 0;
    if (dn_feed_open(&feed, path) != DN_OK) {
        snprintf(out, SHOWN, "no file");
        return;
    }
    csv = (dn_csv){.feed = &feed};
    do {
        if (dn_csv_next(&csv, &state) != DN_OK) {
            used += (size_t)snprintf(out + used, SHOWN - used, " !");
            break;
        }
        used += (size_t)snprintf(out + used, SHOWN - used, "%s",
                                 used && state != DN_CSV_END ? " " : "");
        if (state == DN_CSV_BAD) {
            used +=
                (size_t)snprintf(out + used, SHOWN - used, "{%.*s}", (int)csv.raw.len, csv.raw.ptr);
        }
        for (int i = 0; state == DN_CSV_RECORD && i < csv.n_fields; i++) {
            dn_span value = dn_csv_value(&csv, i);
            used += (size_t)snprintf(out + used, SHOWN - used, "[%.*s]", (int)value.len, value.ptr);
        }
        csv.n_expected = csv.n_expected ? csv.n_expected : csv.n_fields;
    } while (state != DN_CSV_END);
    dn_feed_close(&feed);
}

static const struct {
    const char *name, *in, *want;
} grammar[] = {
    {"plain", "a,b\nc,d\n", "[a][b] [c][d]"},
    {"crlf", "a,b\r\nc,d\r\n", "[a][b] [c][d]"},
    {"mixed ends", "a,b\r\nc,d\ne,f", "[a][b] [c][d] [e][f]"},
    {"no last line end", "a,b\nc,d", "[a][b] [c][d]"},
    {"lone cr is data", "a\rb,c\nd,e\r\n", "[a\rb][c] [d][e]"},
    {"cr at the end of the file", "a,b\r", "[a][b\r]"},
    {"quoted", "\"a\",\"b\"\n", "[a][b]"},
    {"comma inside", "\"a,b\",c\n", "[a,b][c]"},
    {"lines inside", "\"a\nb\r\nc\",d\n", "[a\nb\r\nc][d]"},
    {"doubled quotes", "\"a\"\"b\",\"\"\"\"\n", "[a\"b][\"]"},
    {"only doubled quotes", "\"\"\"\"\"\",x\n", "[\"\"][x]"},
    {"quote at both ends", "\"\"\"a\"\"\",b\n", "[\"a\"][b]"},
    {"empty fields", ",,\n", "[][][]"},
    {"empty quoted", "\"\",\"\"\n", "[][]"},
    {"blanks stay", " a , b \n", "[ a ][ b ]"},
    {"blank line is no record", "a,b\n\n\r\nc,d\n", "[a][b] [c][d]"},
    {"blank line of one field", "a\n\nb\n", "[a] [] [b]"},
    {"empty file", "", ""},
    {"only a mark", "\xef\xbb\xbf", ""},
    {"mark before the header",
     "\xef\xbb\xbf"
     "a,b\n",
     "[a][b]"},
    {"quote inside a field", "a,b\nc\"d,e\nf,g\n", "[a][b] {c\"d,e} [f][g]"},
    {"bytes behind a quote", "a,b\n\"c\"d,e\nf,g\n", "[a][b] {\"c\"d,e} [f][g]"},
    {"cr behind a quote", "a,b\n\"c\"\rd,e\nf,g\n", "[a][b] {\"c\"\rd,e} [f][g]"},
    {"too few fields are a record here", "a,b\nc\nd,e\n", "[a][b] [c] [d][e]"},
    {"too many fields are a record here", "a,b\nc,d,e\n", "[a][b] [c][d][e]"},
    {"not closed at the end", "a,b\n\"c,d\ne,f\n", "[a][b] !"},
    {"not closed, nothing behind", "a,b\nc,\"", "[a][b] !"},
    {"cut record", "a,b\nc,d\ne", "[a][b] [c][d] !"},
    {"cut behind the comma is whole", "a,b\nc,", "[a][b] [c][]"},
    {"quote closes at the end", "a,b\nc,\"d\"", "[a][b] [c][d]"},
    {"many bytes", "0123456789012345678901234567890123456789,x\n",
     "[0123456789012345678901234567890123456789][x]"},
};

CASE(csv_grammar) {
    char result[SHOWN];
    for (size_t i = 0; i < sizeof grammar / sizeof *grammar; i++) {
        show(temp_file("a.csv", grammar[i].in, strlen(grammar[i].in)), result);
        if (strcmp(result, grammar[i].want)) {
            fprintf(stderr, "%s: got %s, want %s\n", grammar[i].name, result, grammar[i].want);
        }
        EXPECT_TEXT(result, grammar[i].want);
    }
}

/** Every case again behind enough records that its bytes lie across the end of the window. */
CASE(csv_window_ends_anywhere) {
    enum { WINDOW = 256 << 10 };
    static char text[WINDOW + 512];
    static const char record[] = "\"x\"\"y\r\n,z\",\"\"\"\"\r\nkk,l\r\n";
    for (size_t shift = 0; shift < sizeof record + 2; shift++) {
        size_t pad = WINDOW - shift;
        memset(text, 'p', pad);
        text[pad - 3] = ',';
        text[pad - 1] = '\n';
        memcpy(text + pad, record, sizeof record - 1);
        const char *path = temp_file("a.csv", text, pad + sizeof record - 1);
        dn_feed feed;
        static dn_csv csv;
        dn_csv_state state;
        REQUIRE(dn_feed_open(&feed, path) == DN_OK);
        csv = (dn_csv){.feed = &feed};
        EXPECT(dn_csv_next(&csv, &state) == DN_OK && state == DN_CSV_RECORD);
        EXPECT_INT(csv.field[0].len, pad - 3);
        EXPECT(dn_csv_next(&csv, &state) == DN_OK && state == DN_CSV_RECORD);
        REQUIRE(csv.n_fields == 2);
        EXPECT(dn_span_is(dn_csv_value(&csv, 0), "x\"y\r\n,z"));
        EXPECT(dn_span_is(dn_csv_value(&csv, 1), "\""));
        EXPECT(dn_csv_next(&csv, &state) == DN_OK && state == DN_CSV_RECORD && csv.n_fields == 2);
        EXPECT(dn_csv_next(&csv, &state) == DN_OK && state == DN_CSV_END);
        dn_feed_close(&feed);
    }
}

static void expect_oversize(const char *body, size_t size, const char *tail, bool after) {
    char *text = malloc(size + 64);
    size_t n = (size_t)sprintf(text, "a,b\nx,");
    memcpy(text + n, body, size);
    size_t m = (size_t)sprintf(text + n + size, "%s%s", tail, after ? "c,d\n" : "");
    const char *path = temp_file("big.csv", text, n + size + m);
    free(text);
    dn_feed feed;
    static dn_csv csv;
    dn_csv_state state;
    REQUIRE(dn_feed_open(&feed, path) == DN_OK);
    csv = (dn_csv){.feed = &feed};
    EXPECT(dn_csv_next(&csv, &state) == DN_OK && state == DN_CSV_RECORD);
    EXPECT(dn_csv_next(&csv, &state) == DN_OK);
    EXPECT_INT(state, DN_CSV_OVERSIZE);
    EXPECT_INT(csv.position, 4);
    EXPECT_INT(csv.size_bytes, 2 + size + strlen(tail));
    EXPECT(!memcmp(csv.raw.ptr, "x,", 2));
    EXPECT(dn_csv_next(&csv, &state) == DN_OK);
    EXPECT_INT(state, after ? DN_CSV_RECORD : DN_CSV_END);
    EXPECT(feed.capacity <= 4 * (size_t)DN_RECORD_MAX);
    dn_feed_close(&feed);
}

CASE(csv_oversize_passes_by_in_bounded_memory) {
    size_t size = 9 << 20;
    char *body = malloc(size);
    memset(body, 'v', size);
    expect_oversize(body, size, "\n", true);
    expect_oversize(body, size, "", false);
    for (size_t i = 1; i + 3 < size; i += 1001) {
        memcpy(body + i, "\"\"\n", 3);
    }
    body[0] = '"';
    body[size - 1] = '"';
    expect_oversize(body, size, "\r\n", true);
    body[1] = '"';
    body[2] = 'x';
    body[3] = '"';
    memset(body + 4, ',', size - 4);
    expect_oversize(body, size, "\n", true);
    free(body);
}

/** One number for all that the parser says about a file. */
static uint64_t digest(const char *path) {
    dn_feed feed;
    static dn_csv csv;
    dn_csv_state state = DN_CSV_END;
    uint64_t sum = 0;
    if (dn_feed_open(&feed, path) != DN_OK) {
        return 0;
    }
    csv = (dn_csv){.feed = &feed};
    do {
        if (dn_csv_next(&csv, &state) != DN_OK) {
            sum = sum * 31 + 7;
            break;
        }
        sum = sum * 31 + (uint64_t)state * 1000 + csv.position;
        for (int i = 0; state == DN_CSV_RECORD && i < csv.n_fields && i < DN_CSV_FIELDS_MAX; i++) {
            sum = dn_hash64(dn_csv_value(&csv, i), sum);
        }
    } while (state != DN_CSV_END);
    dn_feed_close(&feed);
    return sum;
}

/** Any bytes: no crash, and the same records whether the window is filled at once or in the codecs'
 * pieces. */
CASE(csv_random_bytes_read_the_same_in_any_pieces) {
    static const char alphabet[] = "aab,,\"\"\n\r\n\xc3\0";
    for (int round = 0; round < 60; round++) {
        size_t size = dn_random() % (round % 10 ? 3000 : 900000), n;
        char *bytes = malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = alphabet[dn_random() % (sizeof alphabet - 1)];
        }
        uint64_t plain = digest(temp_file("plain", bytes, size));
        unsigned char *packed = squeeze(round % 2 ? "gzip" : "xz", bytes, size, &n);
        EXPECT(digest(temp_file("packed", packed, n)) == plain);
        free(packed);
        free(bytes);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
