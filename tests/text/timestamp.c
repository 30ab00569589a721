#include "base/time_text.h"
#include "test.h"

#include <time.h>

CASE(timestamp_reads_rfc3339) {
    static const struct {
        const char *text;
        int64_t ms;
    } table[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2017-08-15T00:01:00Z", 1502755260000},
        {"2017-08-15t00:01:00z", 1502755260000},
        {"2017-08-15 00:01:00", 1502755260000},
        {"2017-08-15T02:01:00+02:00", 1502755260000},
        {"2017-08-14T19:31:00-04:30", 1502755260000},
        {"2017-08-15T00:01:00.5Z", 1502755260500},
        {"2017-08-15T00:01:00.123456789+00:00", 1502755260123},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"0001-01-01T00:00:00Z", -62135596800000},
        {"9999-12-31T23:59:59Z", 253402300799000},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ms = 0;
        EXPECT(dn_time_rfc3339(dn_span_of(table[i].text), &ms));
        EXPECT_INT(ms, table[i].ms);
    }
}

CASE(timestamp_refuses) {
    static const char *const table[] = {
        "",
        "2017",
        "2017-08-15",
        "2017-08-15T00:01",
        "2017-08-15T00:01:00.Z",
        "2017-08-15T00:01:00+0200",
        "2017-08-15T00:01:00 Z",
        "2017-08-15T00:01:00Zx",
        "2017-13-15T00:01:00Z",
        "2017-00-15T00:01:00Z",
        "2017-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2017-04-31T00:00:00Z",
        "2017-08-15T24:00:00Z",
        "2017-08-15T00:60:00Z",
        "2017-08-15T00:00:61Z",
        "17-08-15T00:00:00Z",
        "+017-08-15T00:00:00Z",
        "2017-08-15T00:01:00+24:00",
        "2017/08/15 00:01:00",
        "Tue Aug 15 00:01:00 2017",
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ms = 0;
        EXPECT(!dn_time_rfc3339(dn_span_of(table[i]), &ms));
    }
}

CASE(timestamp_agrees_with_the_c_library) {
    for (int i = 0; i < 20000; i++) {
        time_t seconds = (time_t)(dn_random() % 253402300800u);
        struct tm parts;
        char text[32];
        int64_t ms = 0;
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
        EXPECT(dn_time_rfc3339(dn_span_of(text), &ms));
        EXPECT_INT(ms, seconds * 1000);
    }
}

static void expect_written(int64_t ms, const char *want) {
    char text[DN_TIME_TEXT_MAX + 1];
    int length = dn_time_write(ms, text);
    text[length] = '\0';
    EXPECT_TEXT(text, want);
}

CASE(timestamp_is_written) {
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1502755260250, "2017-08-15T00:01:00.250Z"},
        {-1500, "1969-12-31T23:59:58.500Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00Z"},
        {-62135596800000, "0001-01-01T00:00:00Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {32503680000007, "3000-01-01T00:00:00.007Z"},
        {-62135596800001, ""},
        {253402300800000, ""},
        {INT64_MIN, ""},
        {INT64_MAX, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        expect_written(table[i].ms, table[i].text);
    }
}

CASE(timestamp_written_agrees_with_the_c_library) {
    for (int64_t day = -719162; day <= 2932896; day += 1 + (int64_t)(dn_random() % 8)) {
        time_t seconds = (time_t)(day * 86400 + (int64_t)(dn_random() % 86400));
        struct tm utc;
        char want[64];
        gmtime_r(&seconds, &utc);
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
        expect_written(seconds * 1000, want);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
