#include "io/json_write.h"
#include "base/utf8.h"
#include "test.h"

static void expect_out(dn_out *out, const char *want) {
    dn_out_bytes(out, "", 1);
    EXPECT_TEXT(out->ptr, want);
    dn_out_free(out);
}

CASE(json_write_puts_commas) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_key(&out, "ids");
    dn_out_open(&out, '[');
    dn_out_i64(&out, 1);
    dn_out_i64(&out, INT64_MIN);
    dn_out_close(&out, ']');
    dn_out_key(&out, "none");
    dn_out_open(&out, '{');
    dn_out_close(&out, '}');
    dn_out_key(&out, "on");
    dn_out_bool(&out, true);
    dn_out_key(&out, "x");
    dn_out_null(&out);
    dn_out_close(&out, '}');
    dn_out_newline(&out);
    dn_out_i64(&out, 7);
    expect_out(&out, "{\"ids\":[1,-9223372036854775808],\"none\":{},\"on\":true,\"x\":null}\n7");
}

CASE(json_write_escapes) {
    dn_out out = {0};
    dn_out_string(&out, DN_SPAN("q\" b\\ n\n t\t \x01 \x7f / \u00e9 \U0001f600 ends,"));
    dn_out_string(&out, DN_SPAN(""));
    dn_out_string(&out, (dn_span){NULL, 0});
    expect_out(&out,
               "\"q\\\" b\\\\ n\\n t\\t \\u0001 \\u007f / \u00e9 \U0001f600 ends,\",\"\",null");
}

CASE(json_write_mends_what_is_not_utf8) {
    dn_out out = {0};
    dn_out_string(&out, DN_SPAN("a\xff"
                                "b\xe2\x82"
                                "c\xed\xa0\x80"));
    expect_out(&out, "\"a\ufffd"
                     "b\ufffd\ufffd"
                     "c\ufffd\ufffd\ufffd\"");
}

static void plain_string(dn_out *out, dn_span text) {
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    dn_out_bytes(out, "\"", 1);
    for (const char *at = text.ptr, *end = at + text.len; at < end;) {
        int length = dn_utf8_length(at, end);
        unsigned char c = (unsigned char)*at;
        const char *letter = c ? strchr(letters, c) : NULL;
        char escape[8];
        if (length == 0) {
            dn_out_bytes(out, "\ufffd", 3);
        } else if (letter && (letter - letters) % 2 == 0) {
            dn_out_bytes(out, (const char[]){'\\', letter[1]}, 2);
        } else if (c < 0x20 || c == 0x7f) {
            dn_out_bytes(out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", c));
        } else {
            dn_out_bytes(out, at, (size_t)length);
        }
        at += length ? length : 1;
    }
    dn_out_bytes(out, "\"", 1);
}

/* Mostly plain, so that runs end at every place of a word; the rest code points whole and broken,
 * controls and what has an escape. */
static size_t random_piece(char *out) {
    static const char *const pieces[] = {
        "\"",         "\\",       "\n",           "\x7f", "\x01", "\u00e9",   "\u65e5",
        "\U0001f602", "\xe2\x82", "\xed\xa0\x80", "\x80", "\xff", "\xf0\x9f", "\xc0\xaf"};
    uint64_t any = dn_random();
    if (any % 8) {
        *out = (char)(any >> 8 & 1 ? any >> 16 : 'a' + (any >> 16) % 26);
        return 1;
    }
    const char *piece = pieces[(any >> 8) % (sizeof pieces / sizeof *pieces)];
    memcpy(out, piece, strlen(piece));
    return strlen(piece);
}

CASE(json_write_strings_as_byte_by_byte) {
    dn_out got = {0}, want = {0};
    for (int i = 0; i < 30000; i++) {
        size_t n = 0, wanted = dn_random() % 70;
        char text[80];
        bool letters = dn_random() % 2;
        while (n < wanted) {
            n += random_piece(text + n);
            text[n - 1] = letters && dn_random() % 16 ? 'x' : text[n - 1];
        }
        /* Of exactly its size, for the sanitizer. */
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        dn_out_reset(&got);
        dn_out_reset(&want);
        dn_out_string(&got, (dn_span){copy, n});
        plain_string(&want, (dn_span){copy, n});
        EXPECT(dn_span_equal((dn_span){got.ptr, got.len}, (dn_span){want.ptr, want.len}));
        free(copy);
    }
    dn_out_free(&got);
    dn_out_free(&want);
}

CASE(json_write_takes_what_is_json_already) {
    dn_out out = {0};
    dn_out_open(&out, '{');
    dn_out_value(&out, DN_SPAN("\"a\":"));
    dn_out_i64(&out, 1);
    dn_out_value(&out, DN_SPAN("\"b\":["));
    dn_out_i64(&out, 2);
    dn_out_bytes(&out, ",", 1);
    dn_out_i64(&out, 3);
    dn_out_close(&out, ']');
    dn_out_value(&out, DN_SPAN("\"c\":[]"));
    dn_out_close(&out, '}');
    expect_out(&out, "{\"a\":1,\"b\":[2,3],\"c\":[]}");
}

CASE(json_write_numbers_read_back) {
    for (int i = 0; i < 10000; i++) {
        union {
            uint64_t bits;
            double f64;
            float f32;
        } number = {dn_random()};
        dn_out out = {0};
        bool finite = isfinite(number.f64);
        dn_out_f64(&out, number.f64);
        dn_out_bytes(&out, "", 1);
        EXPECT(finite ? strtod(out.ptr, NULL) == number.f64 : strcmp(out.ptr, "null") == 0);
        dn_out_reset(&out);
        finite = isfinite(number.f32);
        dn_out_f32(&out, number.f32);
        dn_out_bytes(&out, "", 1);
        EXPECT(finite ? strtof(out.ptr, NULL) == number.f32 : strcmp(out.ptr, "null") == 0);
        dn_out_free(&out);
    }
    dn_out out = {0};
    dn_out_f32(&out, 0.1f);
    dn_out_f64(&out, 0.1);
    dn_out_f64(&out, 3);
    expect_out(&out, "0.1,0.1,3");
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
