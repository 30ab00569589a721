/* Against a second decoder, written from the table of RFC 3629 and slow on purpose. */
#include "base/utf8.h"

#include "test.h"

/* Length of the sequence at p, 0 when it is none: decode, then ask whether encoding needs as many
 * bytes. */
static int slow_length(const unsigned char *p, size_t left) {
    int n = p[0] < 0x80   ? 1
            : p[0] < 0xc0 ? 0
            : p[0] < 0xe0 ? 2
            : p[0] < 0xf0 ? 3
            : p[0] < 0xf8 ? 4
                          : 0;
    if (n == 0 || (size_t)n > left) {
        return 0;
    }
    uint32_t code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    int needed = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    bool scalar = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return needed == n && scalar ? n : 0;
}

CASE(every_scalar_value_survives) {
    int faults = 0;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        if (!dn_utf8_is_scalar(code)) {
            continue;
        }
        char bytes[DN_UTF8_MAX];
        int n = dn_utf8_encode(code, bytes), length = 0;
        faults += dn_utf8_length(bytes, bytes + n) != n;
        faults += dn_utf8_decode(bytes, &length) != code || length != n;
        faults += n > 1 && dn_utf8_length(bytes, bytes + n - 1) != 0;
    }
    EXPECT_INT(faults, 0);
    EXPECT(!dn_utf8_is_scalar(0xd800) && !dn_utf8_is_scalar(0xdfff));
    EXPECT(!dn_utf8_is_scalar(0x110000));
}

CASE(every_three_bytes_are_judged_alike) {
    int faults = 0;
    for (uint32_t word = 0; word < 1u << 24; word++) {
        unsigned char p[4] = {(unsigned char)(word >> 16), (unsigned char)(word >> 8),
                              (unsigned char)word, 0x80};
        faults += dn_utf8_length((char *)p, (char *)p + 3) != slow_length(p, 3);
        if (p[0] >= 0xf0) {
            faults += dn_utf8_length((char *)p, (char *)p + 4) != slow_length(p, 4);
        }
    }
    EXPECT_INT(faults, 0);
}

CASE(the_valid_prefix_ends_at_the_first_bad_byte) {
    for (int trial = 0; trial < 2000; trial++) {
        char text[200];
        size_t len = 0, n = dn_random() % 40;
        for (size_t i = 0; i < n; i++) {
            uint32_t code = (uint32_t)(dn_random() >> (43 + dn_random() % 14));
            len += (size_t)dn_utf8_encode(dn_utf8_is_scalar(code) ? code : 'x', text + len);
        }
        EXPECT_INT(dn_utf8_valid_prefix((dn_span){text, len}), len);
        text[len] = (char)0xff;
        EXPECT_INT(dn_utf8_valid_prefix((dn_span){text, len + 1}), len);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
