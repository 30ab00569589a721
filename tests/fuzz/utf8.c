/* UTF-8 against a slow reading of RFC 3629's grammar, on everything short and on random bytes. */
#include "base/utf8.h"
#include "test.h"

/* The rows of the RFC's table: lead bytes, then the range of the second byte; what follows is 80 to
 * BF. */
static const struct {
    unsigned char first, last, second_low, second_high;
    int length;
} grammar[] = {
    {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static int grammar_length(const unsigned char *p, size_t left) {
    for (size_t row = 0; row < sizeof grammar / sizeof *grammar; row++) {
        int length = grammar[row].length;
        if (p[0] < grammar[row].first || p[0] > grammar[row].last || (size_t)length > left) {
            continue;
        }
        bool good =
            length == 1 || (p[1] >= grammar[row].second_low && p[1] <= grammar[row].second_high);
        for (int i = 2; i < length; i++) {
            good = good && p[i] >= 0x80 && p[i] <= 0xbf;
        }
        return good ? length : 0;
    }
    return 0;
}

static size_t grammar_prefix(const unsigned char *bytes, size_t size) {
    size_t at = 0;
    for (int length; at < size && (length = grammar_length(bytes + at, size - at)) > 0;) {
        at += (size_t)length;
    }
    return at;
}

CASE(utf8_every_code_point_there_and_back) {
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char bytes[DN_UTF8_MAX];
        int length = dn_utf8_encode(code, bytes), decoded;
        bool is_scalar = dn_utf8_is_scalar(code);
        if (dn_utf8_length(bytes, bytes + length) != (is_scalar ? length : 0) ||
            (is_scalar && (dn_utf8_decode(bytes, &decoded) != code || decoded != length))) {
            EXPECT_INT(code, -1);
        }
    }
    EXPECT(!dn_utf8_is_scalar(0x110000));
}

CASE(utf8_all_sequences_of_three_bytes) {
    for (uint32_t bits = 0; bits < 1u << 24; bits++) {
        unsigned char p[3] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                              (unsigned char)bits};
        const char *at = (const char *)p;
        if (dn_utf8_length(at, at + 3) != grammar_length(p, 3)) {
            EXPECT_INT(bits, -1);
        }
    }
}

CASE(fuzz_utf8_prefixes) {
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                                          0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed,
                                          0xef, 0xf0, 0xf4, 0xf5, 0xff};
    for (int round = 0; round < 300000; round++) {
        size_t size = dn_random() % 24;
        unsigned char *bytes = malloc(size ? size : 1);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = dn_random() % 3 ? 'a' : edges[dn_random() % sizeof edges];
        }
        EXPECT_INT(dn_utf8_valid_prefix((dn_span){(char *)bytes, size}),
                   grammar_prefix(bytes, size));
        free(bytes);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
