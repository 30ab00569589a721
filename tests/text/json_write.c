#include "io/json_write.h"
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
