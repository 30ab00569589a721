/* Placement and times are promises to stored data: golden values. */
#include "source/partition.h"

#include "base/time_text.h"
#include "test.h"

static const struct {
    const char *text, *folded;
} folds[] = {
    {"Hello, World!", "helloworld"},
    {"RT @some_one: Hello world https://t.co/aB3", "helloworld"},
    {"ART about @x", "artabout"},
    {"rt stays RT", "rtstays"},
    {"A &amp; B &#39;c&#39; & d", "abcd"},
    {"#Tag_one http://t.co/x…", "tagone"},
    {"Привет, МИР — Ёлка", "приветмирёлка"},
    {"Crème BRÛLÉE ÷ 2", "crèmebrûlée2"},
    {"ΑΒΓ αβγ", "αβγαβγ"},
    {"日本、東京。", "日本東京"},
    {"so 😀 good ❤️ →", "sogood"},
    {"https://t.co/only", ""},
    {"", ""},
};

CASE(partition_fold) {
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        char out[DN_FOLDED_MAX + 1];
        size_t n = dn_text_fold(dn_span_of(folds[i].text), out);
        out[n] = 0;
        EXPECT_TEXT(out, folds[i].folded);
    }
}

/** Bytes that are no UTF-8 and texts of any length stay inside the buffer. */
CASE(partition_fold_is_safe) {
    char text[3000], out[DN_FOLDED_MAX];
    for (int round = 0; round < 2000; round++) {
        size_t n = dn_random() % sizeof text;
        for (size_t i = 0; i < n; i++) {
            text[i] =
                (char)(dn_random() % 3 ? 'a' + (int)(dn_random() % 26) : (int)(dn_random() & 0xff));
        }
        EXPECT(dn_text_fold((dn_span){text, n}, out) <= DN_FOLDED_MAX);
    }
}

static const struct {
    dn_key key;
    const char *user, *text, *language;
    int32_t n, want;
} places[] = {
    {DN_KEY_LANGUAGE_TEXT, "ann", "Good morning, world!", "en", 12, 7},
    {DN_KEY_LANGUAGE_TEXT, "bob", "RT @ann: good MORNING world http://t.co/1", "English", 12, 7},
    {DN_KEY_LANGUAGE_TEXT, "ann", "Доброе утро", "ru", 12, 9},
    {DN_KEY_LANGUAGE_TEXT, "ann", "Доброе утро!", "Bulgarian", 12, 9},
    {DN_KEY_LANGUAGE_TEXT, "ann", "Guten Morgen", "de", 12, 11},
    {DN_KEY_LANGUAGE_TEXT, "ann", "buongiorno", "it", 12, 6},
    {DN_KEY_LANGUAGE_TEXT, "ann", "buongiorno", "it", 64, 34},
    {DN_KEY_LANGUAGE_TEXT, "ann", "https://t.co/a", NULL, 12, 11},
    {DN_KEY_LANGUAGE, "ann", "x", "en", 12, 10},
    {DN_KEY_HASHTAG, "ann", "so a#b #Topic one", "en", 12, 6},
    {DN_KEY_HASHTAG, "bob", "#TOPIC", "ru", 12, 6},
    {DN_KEY_HASHTAG, "ann", "no tag", "en", 12, 0},
    {DN_KEY_AUTHOR, "ann", "x", "en", 12, 0},
    {DN_KEY_TEXT, "ann", "Good morning, world!", "en", 12, 8},
    {DN_KEY_TEXT, NULL, "good morning world", NULL, 12, 8},
};

CASE(partition_golden) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int32_t got =
            dn_partition_of(places[i].key, dn_span_of(places[i].user), dn_span_of(places[i].text),
                            dn_span_of(places[i].language), places[i].n);
        if (got != places[i].want) {
            fprintf(stderr, "row %zu: ", i);
        }
        EXPECT_INT(got, places[i].want);
    }
    EXPECT_INT(dn_partition_of_bad(25, 12), 1);
}

/** Languages share the line in proportion: with their usual mix no partition is much larger than
 * another. */
CASE(partition_spreads_languages_by_share) {
    enum { N = 120000, PARTITIONS = 12 };
    int count[PARTITIONS] = {0};
    for (int i = 0; i < N; i++) {
        char text[32];
        int at = (int)(dn_random() % 1000);
        const char *language = at < 678 ? "en" : at < 946 ? "ru" : at < 981 ? "de" : "fi";
        snprintf(text, sizeof text, "text %d", i);
        int32_t p = dn_partition_of(DN_KEY_LANGUAGE_TEXT, DN_SPAN("u"), dn_span_of(text),
                                    dn_span_of(language), PARTITIONS);
        REQUIRE(p >= 0 && p < PARTITIONS);
        count[p]++;
    }
    for (int p = 0; p < PARTITIONS; p++) {
        EXPECT(count[p] > N / PARTITIONS * 9 / 10 && count[p] < N / PARTITIONS * 11 / 10);
    }
}

static const struct {
    const char *text;
    bool ok;
    int64_t ms;
} times[] = {
    {"1502755440000", true, 1502755440000},
    {"-1", true, -1},
    {"0", true, 0},
    {"2017-08-15T00:04:00Z", true, 1502755440000},
    {"2017-08-15 00:04:00", true, 1502755440000},
    {"2017-08-15 00:04", true, 1502755440000},
    {"2017-08-15", true, 1502755200000},
    {"2017-08-15T02:04:00.25+02:00", true, 1502755440250},
    {"2017-08-14T19:04:00.250999-0500", true, 1502755440250},
    {"10/1/2017 19:58", true, 1506887880000},
    {"Tue Aug 15 00:04:00 +0000 2017", true, 1502755440000},
    {"2016-02-29 00:00", true, 1456704000000},
    {"1969-12-31T23:59:59.999Z", true, -1},
    {"2017-02-29 00:00", false, 0},
    {"2017-13-01", false, 0},
    {"2017-08-15T24:00Z", false, 0},
    {"2017-08-15Q00:04", false, 0},
    {"2017-08-15T00:04:00+99:00", false, 0},
    {"2017-08-15T00:04:00Z ", false, 0},
    {"yesterday", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"123456789012345678", false, 0},
    {"Tue Abc 15 00:04:00 +0000 2017", false, 0},
};

CASE(when_parses) {
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int64_t ms = 0;
        bool ok = dn_time_any(dn_span_of(times[i].text), &ms);
        if (ok != times[i].ok || ms != times[i].ms) {
            fprintf(stderr, "%s: ", times[i].text);
        }
        EXPECT_INT(ok, times[i].ok);
        EXPECT(!ok || ms == times[i].ms);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
