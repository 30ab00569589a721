#include "base/props.h"

#include "test.h"

#include <stddef.h>

typedef struct conf {
    char *name, *file, *key;
    bool on;
    int64_t rows, bytes, wait_ns, goal_ns;
    double share;
    int mode;
    dn_map headers;
    dn_list topics;
} conf;

static const char *const modes[] = {"fast", "exact", "null", NULL};

static const dn_prop props[] = {
    {"name", DN_P_TEXT, offsetof(conf, name), NULL, 0, 0, NULL, "Its name."},
    {"file", DN_P_PATH, offsetof(conf, file), "out/x", 0, 0, NULL, "A file."},
    {"key", DN_P_SECRET, offsetof(conf, key), "env:KEY", 0, 0, NULL, "A secret."},
    {"on", DN_P_BOOL, offsetof(conf, on), "yes", 0, 0, NULL, "A switch."},
    {"rows", DN_P_COUNT, offsetof(conf, rows), "16Ki", 1, 1e6, NULL, "A count."},
    {"bytes", DN_P_BYTES, offsetof(conf, bytes), "1MiB", 0, 0, NULL, "A size."},
    {"wait", DN_P_DURATION, offsetof(conf, wait_ns), "5ms", 0, 60e9, NULL, "A wait."},
    {"goal", DN_P_GOAL, offsetof(conf, goal_ns), "throughput", 0, 60e9, NULL, "A goal."},
    {"share", DN_P_REAL, offsetof(conf, share), "5%", 0, 1, NULL, "A share."},
    {"mode", DN_P_CHOICE, offsetof(conf, mode), "exact", 0, 0, modes, "A choice."},
    {"headers", DN_P_MAP, offsetof(conf, headers), NULL, 0, 0, NULL, "A mapping."},
    {"topics", DN_P_LIST, offsetof(conf, topics), "a, b", 0, 0, NULL, "A list."},
    {NULL, DN_P_TEXT, 0, NULL, 0, 0, NULL, NULL},
};

static conf fresh(void) {
    conf c = {0};
    EXPECT_INT(dn_props_init(props, &c), DN_OK);
    return c;
}

static dn_status set(conf *c, const char *name, const char *value) {
    return dn_prop_set(dn_prop_find(props, name), c, value);
}

/* Whether setting fails as CONFIG, with a text that contains `part`. */
static bool refused(conf *c, const char *name, const char *value, const char *part) {
    bool refuses = set(c, name, value) == DN_FATAL && dn_failure_last()->error == DN_E_CONFIG;
    bool says = strstr(dn_failure_last()->text, part) != NULL;
    if (!refuses || !says) {
        fprintf(stderr, "%s=%s gives \"%s\"\n", name, value, dn_failure_last()->text);
    }
    return refuses && says;
}

CASE(defaults_are_parsed_like_values) {
    conf c = fresh();
    EXPECT(c.name == NULL);
    EXPECT_TEXT(c.file, "out/x");
    EXPECT(c.on);
    EXPECT_INT(c.rows, 16384);
    EXPECT_INT(c.bytes, 1 << 20);
    EXPECT_INT(c.wait_ns, 5000000);
    EXPECT(c.share == 0.05);
    EXPECT_INT(c.mode, 1);
    EXPECT_INT(c.headers.n, 0);
    EXPECT_INT(c.topics.n, 2);
    EXPECT_TEXT(c.topics.item[1], "b");
    dn_props_free(props, &c);
    EXPECT(c.file == NULL && c.topics.n == 0);
}

CASE(what_is_required_is_missed) {
    conf c = fresh();
    const dn_prop *missing = dn_props_missing(props, &c);
    REQUIRE(missing != NULL);
    EXPECT_TEXT(missing->name, "name");
    EXPECT_INT(set(&c, "name", "tweets"), DN_OK);
    EXPECT(dn_props_missing(props, &c) == NULL);
    dn_props_free(props, &c);
}

CASE(names_are_found_exactly) {
    EXPECT(dn_prop_find(props, "wait") == &props[6]);
    EXPECT(dn_prop_find(props, "Wait") == NULL);
    EXPECT(dn_prop_find(props, "") == NULL);
    EXPECT(dn_prop_find(NULL, "wait") == NULL);
}

typedef struct reading {
    const char *text;
    int64_t value;
} reading;

static void expect_readings(dn_status (*parse)(const char *, int64_t *), const reading *readings) {
    for (const reading *r = readings; r->text; r++) {
        int64_t got = -1;
        if (parse(r->text, &got) != DN_OK || got != r->value) {
            fprintf(stderr, "%s gives %lld\n", r->text, (long long)got);
            EXPECT_INT(got, r->value);
        }
    }
}

CASE(units_of_counts_sizes_and_durations) {
    expect_readings(dn_parse_count, (const reading[]){{"0", 0},
                                                      {"1000", 1000},
                                                      {"16k", 16000},
                                                      {"16Ki", 16384},
                                                      {"1.5k", 1500},
                                                      {"2M", 2000000},
                                                      {"1Mi", 1 << 20},
                                                      {"1G", 1000000000},
                                                      {NULL, 0}});
    expect_readings(dn_parse_bytes, (const reading[]){{"4096", 4096},
                                                      {"64KiB", 65536},
                                                      {"64 KiB", 65536},
                                                      {"1MB", 1000000},
                                                      {"1.5MiB", 1572864},
                                                      {"2GiB", INT64_C(2) << 30},
                                                      {"7B", 7},
                                                      {NULL, 0}});
    expect_readings(dn_parse_duration, (const reading[]){{"0", 0},
                                                         {"1ns", 1},
                                                         {"5us", 5000},
                                                         {"5ms", 5000000},
                                                         {"0.5s", 500000000},
                                                         {"2min", INT64_C(120000000000)},
                                                         {"1h", INT64_C(3600000000000)},
                                                         {NULL, 0}});
}

CASE(wrong_values_say_what_is_wrong) {
    conf c = fresh();
    EXPECT(refused(&c, "wait", "5", "ms"));
    EXPECT(refused(&c, "wait", "5 hours", "5 hours"));
    EXPECT(refused(&c, "wait", "61s", "outside"));
    EXPECT(refused(&c, "rows", "0", "outside"));
    EXPECT(refused(&c, "rows", "1.5", "whole"));
    EXPECT(refused(&c, "rows", "many", "many"));
    EXPECT(refused(&c, "rows", "", "''"));
    EXPECT(refused(&c, "rows", "16Kib", "16Kib"));
    EXPECT(refused(&c, "bytes", "1e30", "1e30"));
    EXPECT(refused(&c, "share", "120%", "outside"));
    EXPECT(refused(&c, "share", "nan", "nan"));
    EXPECT(refused(&c, "share", "inf", "inf"));
    EXPECT(refused(&c, "on", "maybe", "maybe"));
    EXPECT(refused(&c, "mode", "exat", "did you mean 'exact'"));
    EXPECT(refused(&c, "mode", "quick", "fast, exact, null"));
    EXPECT(refused(&c, "headers", "novalue", "mapping"));
    EXPECT_INT(c.rows, 16384);
    EXPECT_INT(c.wait_ns, 5000000);
    EXPECT_INT(c.mode, 1);
    dn_props_free(props, &c);
}

CASE(values_replace_and_entries_add_up) {
    conf c = fresh();
    EXPECT_INT(set(&c, "file", "a"), DN_OK);
    EXPECT_INT(set(&c, "file", "b"), DN_OK);
    EXPECT_TEXT(c.file, "b");
    EXPECT_INT(set(&c, "topics", " x ,, y,z "), DN_OK);
    EXPECT_INT(c.topics.n, 3);
    EXPECT_TEXT(c.topics.item[0], "x");
    dn_list_put(&c.topics, "w");
    EXPECT_TEXT(c.topics.item[3], "w");
    EXPECT_INT(set(&c, "headers", "acks=all"), DN_OK);
    EXPECT_INT(set(&c, "headers", "linger=5=ms"), DN_OK);
    dn_map_put(&c.headers, "acks", "1");
    EXPECT_INT(c.headers.n, 2);
    EXPECT_TEXT(dn_map_get(&c.headers, "acks"), "1");
    EXPECT_TEXT(dn_map_get(&c.headers, "linger"), "5=ms");
    EXPECT(dn_map_get(&c.headers, "none") == NULL);
    dn_props_free(props, &c);
}

CASE(every_word_of_a_switch) {
    conf c = fresh();
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "False", "TRUE"};
    for (int i = 0; i < 8; i++) {
        c.on = i % 2 == 0;
        EXPECT_INT(set(&c, "on", words[i]), DN_OK);
        EXPECT_INT(c.on, i % 2);
    }
    dn_props_free(props, &c);
}

CASE(secrets_are_never_printed) {
    conf c = fresh();
    char text[64];
    EXPECT_INT(set(&c, "key", "hunter2"), DN_OK);
    dn_prop_print(dn_prop_find(props, "key"), &c, text, sizeof text);
    EXPECT_TEXT(text, "***");
    dn_props_free(props, &c);
}

static void expect_survives(conf *c, const char *name, const void *slot, size_t size) {
    const dn_prop *prop = dn_prop_find(props, name);
    char before[16], text[64];
    memcpy(before, slot, size);
    dn_prop_print(prop, c, text, sizeof text);
    EXPECT_INT(dn_prop_set(prop, c, text), DN_OK);
    EXPECT_INT(memcmp(before, slot, size), 0);
}

CASE(a_goal_is_throughput_or_a_time) {
    conf c = fresh();
    EXPECT_INT(c.goal_ns, 0);
    EXPECT_INT(set(&c, "goal", "200ms"), DN_OK);
    EXPECT_INT(c.goal_ns, 200000000);
    EXPECT_INT(set(&c, "goal", "p95=2s"), DN_OK);
    EXPECT_INT(c.goal_ns, 2000000000);
    EXPECT_INT(set(&c, "goal", "throughput"), DN_OK);
    EXPECT_INT(c.goal_ns, 0);
    EXPECT(refused(&c, "goal", "p99=2s", "'p99=2s' is neither throughput nor a time"));
    EXPECT(refused(&c, "goal", "fast", "{p95: 200ms}"));
    EXPECT(refused(&c, "goal", "61s", "outside"));
    dn_props_free(props, &c);
}

/* What is printed can be read again, and means the same. */
CASE(printed_values_can_be_read_again) {
    conf c = fresh();
    for (int trial = 0; trial < 2000; trial++) {
        c.rows = 1 + (int64_t)(dn_random() % 1000000);
        c.bytes = (int64_t)(dn_random() >> (13 + dn_random() % 50));
        c.wait_ns = (int64_t)(dn_random() % 60000000000u);
        c.goal_ns = (int64_t)(dn_random() % 60000000000u) * (trial % 3 != 0);
        c.mode = (int)(dn_random() % 3);
        c.on = dn_random() % 2;
        c.share = (double)(dn_random() % 10001) / 10000.0;
        expect_survives(&c, "rows", &c.rows, sizeof c.rows);
        expect_survives(&c, "bytes", &c.bytes, sizeof c.bytes);
        expect_survives(&c, "wait", &c.wait_ns, sizeof c.wait_ns);
        expect_survives(&c, "goal", &c.goal_ns, sizeof c.goal_ns);
        expect_survives(&c, "mode", &c.mode, sizeof c.mode);
        expect_survives(&c, "on", &c.on, sizeof c.on);
        expect_survives(&c, "share", &c.share, sizeof c.share);
    }
    dn_props_free(props, &c);
}

CASE(long_values_are_cut_when_printed) {
    conf c = fresh();
    for (int i = 0; i < 40; i++) {
        dn_list_put(&c.topics, "a-rather-long-topic-name");
        char key[16];
        snprintf(key, sizeof key, "key%d", i);
        dn_map_put(&c.headers, key, "a-rather-long-value");
    }
    char text[50];
    for (const dn_prop *prop = props; prop->name; prop++) {
        memset(text, '#', sizeof text);
        dn_prop_print(prop, &c, text, 40);
        EXPECT(memchr(text, '\0', 40) != NULL);
        EXPECT(text[40] == '#');
    }
    dn_props_free(props, &c);
}

CASE(edit_distances) {
    EXPECT_INT(dn_edit_distance("", ""), 0);
    EXPECT_INT(dn_edit_distance("", "abc"), 3);
    EXPECT_INT(dn_edit_distance("kitten", "sitting"), 3);
    EXPECT_INT(dn_edit_distance("partitions", "partitons"), 1);
    EXPECT_INT(dn_edit_distance("rnu", "run"), 1);
    EXPECT(dn_near("partitons", "partitions"));
    EXPECT(dn_near("borker", "broker"));
    EXPECT(!dn_near("x", "partitions"));
    char longer[500];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    EXPECT(!dn_near(longer, "partitions"));
}

/* Symmetric, 0 for equal words only, between the difference of the lengths and the longer one.
 * (With swaps that may not be edited again the triangle inequality does not hold.) */
CASE(edit_distance_has_bounds) {
    for (int trial = 0; trial < 500; trial++) {
        char word[2][12];
        int length[2];
        for (int w = 0; w < 2; w++) {
            length[w] = (int)(dn_random() % 11);
            for (int i = 0; i < length[w]; i++) {
                word[w][i] = (char)('a' + dn_random() % 3);
            }
            word[w][length[w]] = '\0';
        }
        int distance = dn_edit_distance(word[0], word[1]);
        EXPECT_INT(dn_edit_distance(word[1], word[0]), distance);
        EXPECT(distance >= abs(length[0] - length[1]));
        EXPECT(distance <= (length[0] > length[1] ? length[0] : length[1]));
        EXPECT_INT(distance == 0, strcmp(word[0], word[1]) == 0);
    }
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
